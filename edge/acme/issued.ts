import { createPrivateKey, generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import {
  asMakiError,
  type CertificateChain,
  type CertificateName,
  formatPrivateKey,
  isKeyOf,
  parseCertificateChain,
} from '../../core/index.ts'
import { AuthorityError } from './authority-error.ts'
import type { IssuedCertificate } from './ports.ts'

const generate = promisify(generateKeyPair)

/** A new key on P-256, which every client takes. PKCS #8 PEM; never to be logged. */
export async function makeKey(): Promise<string> {
  const { privateKey } = await generate('ec', { namedCurve: 'P-256' })
  return formatPrivateKey(privateKey)
}

/** A request for these names, signed by the key (RFC 2986): DER in base64url. */
export async function makeRequest(key: string, names: readonly CertificateName[]): Promise<string> {
  const { default: acme } = await import('acme-client')
  const [, pem] = await acme.crypto.createCsr({ altNames: [...names] }, key)
  const body = pem.toString().replace(/-----[^-]+-----|\s/g, '')
  return Buffer.from(body, 'base64').toString('base64url')
}

/** Clocks differ, and authorities date certificates back for those that are behind. */
const CLOCK_MS = 5 * 60_000

/**
 * What an authority sent, checked to be a certificate for this key, these names and this time. Throws AuthorityError:
 * `wrong-certificate`, or `clock` where it is good at another time than ours.
 */
export function checkIssued(
  pem: unknown,
  key: string,
  names: readonly CertificateName[],
  nowMs: number,
): IssuedCertificate {
  const chain = readChain(pem)
  if (!isKeyOf(chain, createPrivateKey(key))) throw wrong('it belongs to another key')
  const stranger = chain.names.find((name) => !names.includes(name)) ?? chain.ignored[0]
  if (stranger !== undefined) throw wrong(`it is for ${stranger} too, which was not asked for`)
  const missing = names.find((name) => !chain.names.includes(name))
  if (missing !== undefined) throw wrong(`it is not for ${missing}`)
  const { notBeforeMs, notAfterMs } = chain
  if (notBeforeMs > nowMs + CLOCK_MS || notAfterMs <= nowMs) {
    const from = new Date(notBeforeMs).toISOString()
    throw new AuthorityError('clock', `the new certificate is good from ${from} on, and here it is another time`, {
      hint: 'Set the clock of this server: timedatectl set-ntp true',
    })
  }
  return { chain: chain.pem, key, names: chain.names, notBeforeMs, notAfterMs }
}

function readChain(pem: unknown): CertificateChain {
  if (typeof pem !== 'string') throw wrong('there is none')
  try {
    return parseCertificateChain(pem)
  } catch (error) {
    throw wrong(asMakiError(error).message)
  }
}

const wrong = (why: string): AuthorityError =>
  new AuthorityError('wrong-certificate', `the certificate authority sent a certificate that is not the one: ${why}`, {
    hint: 'It is not used. It is tried again by itself.',
  })
