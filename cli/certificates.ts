import {
  type CertificateChain,
  type CertificateName,
  type CertificateValue,
  coversName,
  type Entry,
  findDomain,
  type Hostname,
  hostOwner,
  isKeyOf,
  keys,
  MakiError,
  type MemberKey,
  type OperationId,
  parseCertificateChain,
  parseCertificateName,
  parsePrivateKey,
  type State,
  sealPurpose,
} from '../core/index.ts'
import { findNearest } from './config/index.ts'

const DAY_MS = 24 * 60 * 60 * 1000

/** A certificate of the cluster as commands show it. */
export interface CertificateRow {
  readonly name: CertificateName
  readonly names: readonly CertificateName[]
  /** Null where the chain cannot be read. */
  readonly issuer: string | null
  readonly notBefore: string
  readonly notAfter: string
  /** Whole days; negative when it has expired. */
  readonly daysLeft: number
  /** `exposed`: somebody who was removed may know the private key. */
  readonly sealed: 'ok' | 'exposed'
  /** The directory of the authority that a node ordered it from; null for one that was imported. */
  readonly directory: string | null
  readonly operation: OperationId
  readonly author: MemberKey
  readonly at: string
}

/** Certificates by name. `exposed` are the purposes of `listExposed`. */
export function listCertificates(state: State, exposed: ReadonlySet<string>, nowMs: number): readonly CertificateRow[] {
  return state.ids('certificate').flatMap((id) => {
    const entry = state.get(keys.certificate(id as CertificateName)) as Entry<CertificateValue> | undefined
    return entry === undefined ? [] : [buildRow(entry, exposed, nowMs)]
  })
}

function buildRow(entry: Entry<CertificateValue>, exposed: ReadonlySet<string>, nowMs: number): CertificateRow {
  const { name, names, notBeforeMs, notAfterMs, chain, directory } = entry.value
  return {
    name,
    names,
    issuer: findIssuer(chain),
    notBefore: formatTime(notBeforeMs),
    notAfter: formatTime(notAfterMs),
    daysLeft: Math.floor((notAfterMs - nowMs) / DAY_MS),
    sealed: exposed.has(sealPurpose.certificate(name)) ? 'exposed' : 'ok',
    directory: directory ?? null,
    operation: entry.operation,
    author: entry.author,
    at: formatTime(entry.stamp.wallMs),
  }
}

/** Operations may be made by other versions: a time that no date can show is shown as it is. */
function formatTime(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString()
}

const formatDate = (ms: number): string => formatTime(ms).slice(0, 10)

function findIssuer(chain: string): string | null {
  try {
    return parseCertificateChain(chain).issuer
  } catch {
    return null
  }
}

/** The certificate that a person named, by its name or any host that it is for. Throws MAKI_NOT_FOUND with the nearest. */
export function requireCertificate(state: State, typed: string): CertificateValue {
  const asked = parseCertificateName(typed)
  const all = state.ids('certificate').flatMap((id) => {
    const entry = state.get(keys.certificate(id as CertificateName)) as Entry<CertificateValue> | undefined
    return entry === undefined ? [] : [entry.value]
  })
  const found = all.find(({ name }) => name === asked) ?? all.find(({ names }) => names.includes(asked))
  if (found !== undefined) return found
  const names = all.map(({ name }) => String(name))
  throw new MakiError('MAKI_NOT_FOUND', `there is no certificate ${asked}`, {
    hint:
      findNearest(asked, names) ??
      (names.length === 0 ? 'maki cert import FILES… --private-key FILE brings one.' : 'maki cert list shows them.'),
  })
}

/** What was read from the files of an import. */
export interface ImportedCertificate {
  readonly name: CertificateName
  readonly chain: CertificateChain
  readonly key: ReturnType<typeof parsePrivateKey>
}

/**
 * Reads a certificate with its key out of PEM texts; pure. Throws MAKI_INVALID for what could not be served: no chain, no key, the
 * key of another certificate, one that has expired, one that is not valid yet in the place of one that is.
 */
export function readImport(
  state: State,
  texts: readonly string[],
  keyText: string | undefined,
  nowMs: number,
): ImportedCertificate {
  const chain = parseCertificateChain(texts.join('\n'))
  const keyed = keyText ?? texts.find((text) => text.includes('PRIVATE KEY-----'))
  if (keyed === undefined) {
    throw new MakiError('MAKI_INVALID', 'the private key of the certificate is missing', {
      hint: 'Name its file too: --private-key FILE (or - for standard input).',
    })
  }
  const key = parsePrivateKey(keyed)
  if (!isKeyOf(chain, key)) {
    throw new MakiError(
      'MAKI_INVALID',
      `the private key is not that of the certificate for ${chain.names.join(', ')}`,
      {
        hint: 'Check that both files come from the same request.',
      },
    )
  }
  if (chain.notAfterMs <= nowMs) {
    throw new MakiError('MAKI_INVALID', `the certificate expired on ${formatDate(chain.notAfterMs)}`, {
      hint: 'Renew it where it was issued, then import the new one.',
    })
  }
  const imported = { name: chooseName(state, chain), chain, key }
  const present = findReplaced(state, imported, nowMs)
  if (chain.notBeforeMs > nowMs && present !== undefined) {
    throw new MakiError(
      'MAKI_INVALID',
      `the certificate is valid only from ${formatDate(chain.notBeforeMs)} on, and would take the place of ${present.name}, which is valid now`,
      { hint: `Import it when it is valid; until then visitors would see an error. maki cert show ${present.name}` },
    )
  }
  return imported
}

/** The certificate that visitors see now and that an import takes the place of. */
function findReplaced(state: State, { name, chain }: ImportedCertificate, nowMs: number): CertificateValue | undefined {
  const present = state.get(keys.certificate(name))?.value as CertificateValue | undefined
  const isServed = present !== undefined && present.notBeforeMs <= nowMs && nowMs <= present.notAfterMs
  return isServed && present.chain !== chain.pem ? present : undefined
}

/** The name under which one of these hosts is known already; else the shortest host. */
function chooseName(state: State, { names }: CertificateChain): CertificateName {
  const known = new Set(state.ids('certificate'))
  const byLength = [...names].sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
  return (
    byLength.find((name) => known.has(name)) ??
    byLength.find((name) => !name.startsWith('*.')) ??
    (byLength[0] as CertificateName)
  )
}

/** What a person should know of a certificate that is good enough to be imported. */
export function listDoubts(state: State, imported: ImportedCertificate, nowMs: number): readonly string[] {
  const { chain } = imported
  const doubts: string[] = []
  if (chain.notBeforeMs > nowMs) doubts.push(`it is valid only from ${formatDate(chain.notBeforeMs)} on`)
  if (chain.isSelfSigned) doubts.push('it is signed by itself: browsers do not trust it')
  else if (chain.count === 1)
    doubts.push('it comes without the certificate of who signed it: most clients need that (give its file too)')
  const strangers = chain.names.filter((name) => !isOurs(state, name))
  if (strangers.length > 0) doubts.push(`no domain of the cluster serves ${strangers.join(', ')}`)
  const present = findReplaced(state, imported, nowMs)
  const lost = present?.names.filter((name) => !coversName(chain.names, name)) ?? []
  if (lost.length > 0) doubts.push(`the one whose place it takes is also for ${lost.join(', ')}, and this is not`)
  if (present !== undefined && present.notAfterMs > chain.notAfterMs)
    doubts.push(`the one whose place it takes is valid for longer, until ${formatDate(present.notAfterMs)}`)
  if (chain.ignored.length > 0) doubts.push(`names that are no host names are not used: ${chain.ignored.join(', ')}`)
  return doubts
}

function isOurs(state: State, name: CertificateName): boolean {
  const host = (name.startsWith('*.') ? name.slice(2) : name) as Hostname
  const labels = host.split('.')
  return labels.some((_, i) => {
    const suffix = labels.slice(i).join('.') as Hostname
    return findDomain(state, i === 0 ? (hostOwner(state, suffix) ?? suffix) : suffix) !== undefined
  })
}
