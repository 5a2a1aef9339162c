import type { Hostname } from '../names.ts'
import type { CertificateName } from '../operation/index.ts'
import { listAccounts, type State } from '../state/index.ts'
import type { CaaFacts } from './ports.ts'

/** Issuer names of certificate authorities by the host of their directory. */
const WELL_KNOWN: ReadonlyMap<string, string> = new Map([
  ['acme-v02.api.letsencrypt.org', 'letsencrypt.org'],
  ['acme-staging-v02.api.letsencrypt.org', 'letsencrypt.org'],
  ['acme.zerossl.com', 'sectigo.com'],
  ['dv.acme-v02.api.pki.goog', 'pki.goog'],
  ['dv.acme-v02.test-api.pki.goog', 'pki.goog'],
  ['api.buypass.com', 'buypass.com'],
  ['acme.ssl.com', 'ssl.com'],
])

/** Property tags that are no question of who may issue for a host, or are read here; others may be critical. */
const KNOWN_TAGS = new Set(['issue', 'issuewild', 'iodef', 'issuemail', 'issuevmc', 'contactemail', 'contactphone'])
const CRITICAL = 128
/** Presentation format: flags, tag, and a value with or without quotation marks (RFC 8659 section 4.1.1). */
const CAA_RDATA = /^([0-9]{1,3})\s+([A-Za-z0-9]+)\s+(?:"((?:[^"\\]|\\.)*)"|(\S+))$/s

/** What the authority at a directory calls itself in CAA records, where that is known without asking it. */
export function findIssuer(directory: string): string | undefined {
  const host = URL.parse(directory)?.hostname
  return host === undefined ? undefined : WELL_KNOWN.get(host)
}

/** What it calls itself: as it told when an account was made, else as everybody knows; undefined where nobody does. */
export function listIssuers(state: State, directory: string): readonly string[] | undefined {
  const said = listAccounts(state).find(({ value }) => value.directory === directory)?.value.authorities
  if (said !== undefined && said.length > 0) return said
  const known = findIssuer(directory)
  return known === undefined ? undefined : [known]
}

/** Reads the CAA records at one name, in presentation format. What cannot be read forbids nothing. */
export function readCaa(at: Hostname, values: readonly string[]): CaaFacts {
  const issue: string[] = []
  const issueWild: string[] = []
  let critical = false
  for (const value of values) {
    const [, flags, tag = '', quoted, bare = ''] = CAA_RDATA.exec(value.trim()) ?? []
    if (flags === undefined) continue
    const property = tag.toLowerCase()
    if (property === 'issue') issue.push(readIssuer(quoted ?? bare))
    else if (property === 'issuewild') issueWild.push(readIssuer(quoted ?? bare))
    else if (!KNOWN_TAGS.has(property) && (Number(flags) & CRITICAL) !== 0) critical = true
  }
  return { issue, issueWild, critical, at }
}

/**
 * The issuer of an `issue` or `issuewild` value, in lower case, without parameters: `accounturi` and `validationmethods`
 * (RFC 8657) are for the authority to judge. Empty where no authority is named.
 */
function readIssuer(value: string): string {
  const text = value.replace(/\\([0-9]{3}|.)/gs, (_, escaped: string) =>
    escaped.length === 3 ? String.fromCharCode(Number(escaped) & 0xff) : escaped,
  )
  const issuer = text.replace(/;.*$/s, '').trim().toLowerCase().replace(/\.$/, '')
  return /^[a-z0-9.-]*$/.test(issuer) ? issuer : ''
}

/**
 * Whether CAA records let one of the issuers certify a name (RFC 8659 section 4): `issuewild` goes before `issue` for a
 * wildcard, no property at all permits everybody, a critical one that nobody here knows forbids. Issuers that are not
 * known are forbidden only what everybody is. Pure.
 */
export function permitsIssuer(
  caa: CaaFacts | 'none',
  name: CertificateName,
  issuers: readonly string[] | undefined,
): boolean {
  if (caa === 'none') return true
  if (caa.critical) return false
  const named = name.startsWith('*.') && caa.issueWild.length > 0 ? caa.issueWild : caa.issue
  if (named.length === 0) return true
  return named.some((one) => one !== '' && (issuers?.includes(one) ?? true))
}
