import type { X509Certificate } from 'node:crypto'
import * as v from 'valibot'
import { parseCertificateChain } from '../../core/index.ts'
import type { AcmeResponse } from './acme-transport.ts'
import { nonsense } from './acme-transport.ts'
import type { RenewalInfo } from './ports.ts'
import { readRetryAfter } from './problem.ts'

const HOUR_MS = 3_600_000
/** RFC 9773 section 4.3.2: six hours where nothing is said; bounded so that neither we nor the authority is flooded. */
const ASK_AGAIN_MS = 6 * HOUR_MS
const SOONEST_MS = 60_000
const LATEST_MS = 24 * HOUR_MS

/**
 * What an authority calls a certificate of its own (RFC 9773 section 4.1): the identifier of the key that signed it and its serial
 * number. Undefined where the certificate does not say by which key it was signed.
 */
export async function certificateId(chain: string): Promise<string | undefined> {
  const { leaf } = parseCertificateChain(chain)
  const signer = await findSigner(leaf)
  if (signer === undefined) return undefined
  return `${signer.toString('base64url')}.${serialOf(leaf).toString('base64url')}`
}

async function findSigner(leaf: X509Certificate): Promise<Buffer | undefined> {
  const x509 = await import('@peculiar/x509')
  const extension = new x509.X509Certificate(leaf.raw).getExtension(x509.AuthorityKeyIdentifierExtension)
  return extension?.keyId === undefined ? undefined : Buffer.from(extension.keyId, 'hex')
}

/** The content of the DER integer: with a zero in front where the first bit would be a sign. */
function serialOf({ serialNumber }: X509Certificate): Buffer {
  const bytes = Buffer.from(serialNumber.length % 2 === 0 ? serialNumber : `0${serialNumber}`, 'hex')
  return (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes
}

const infoSchema = v.object({
  suggestedWindow: v.object({ start: v.string(), end: v.string() }),
  explanationURL: v.fallback(
    v.optional(v.pipe(v.string(), v.maxLength(500), v.regex(/^https:\/\/[\x21-\x7e]+$/))),
    undefined,
  ),
})

/** Throws AuthorityError `nonsense` for a window that is none. */
export function readRenewalInfo(response: AcmeResponse, nowMs: number): RenewalInfo {
  const said = v.safeParse(infoSchema, response.data)
  if (!said.success) throw nonsense('what it says of renewal cannot be read')
  const { suggestedWindow, explanationURL } = said.output
  const startMs = Date.parse(suggestedWindow.start)
  const endMs = Date.parse(suggestedWindow.end)
  if (!(startMs < endMs)) throw nonsense('its window for renewal ends before it begins')
  const asked = readRetryAfter(response, nowMs) ?? ASK_AGAIN_MS
  const askAgainMs = Math.min(Math.max(asked, SOONEST_MS), LATEST_MS)
  return { startMs, endMs, askAgainMs, ...(explanationURL === undefined ? {} : { explanation: explanationURL }) }
}
