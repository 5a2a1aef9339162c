import {
  type AccountValue,
  type CertificateValue,
  type ChallengeValue,
  type DomainValue,
  type Entry,
  findKeyParts,
  type Key,
  type MemberKey,
  type MemberValue,
  type OperationId,
  type OrderValue,
  type PeerView,
  type RecordValue,
  type ReleaseValue,
  type RevocationValue,
  shortId,
} from '../../core/index.ts'
import { BEST_NODE, count, formatBytes, plainLine } from './text.ts'

const ABSENT = 'nothing'

/** What a key is, in a few words on one line; undefined is absent. */
export function formatValue(key: Key, value: Entry['value']): string {
  if (value === undefined) return ABSENT
  const parts = findKeyParts(key)
  switch (parts?.kind) {
    case 'record': {
      const { values, ttl, geo } = value as RecordValue
      return `${geo === true ? BEST_NODE : values.map(plainLine).join(', ')} (TTL ${ttl})`
    }
    case 'release':
      return formatRelease(value as ReleaseValue)
    case 'domain':
      return formatSettings(value as DomainValue)
    case 'host':
      return `belongs to ${(value as { domain: string }).domain}`
    case 'node-name':
      return `the node ${shortId((value as { node: MemberKey }).node)}`
    case 'member': {
      const { name, role, domains } = value as MemberValue
      return `${role} ${plainLine(name)}${domains === undefined ? '' : ` for ${domains.join(', ') || 'no domain'}`}`
    }
    case 'purge':
      return `all but ${shortId((value as { keep: OperationId }).keep)}`
    case 'certificate': {
      const { names, notAfterMs } = value as CertificateValue
      return `${names.join(', ')} until ${new Date(notAfterMs).toISOString().slice(0, 10)}`
    }
    case 'account':
      return plainLine((value as AccountValue).directory)
    case 'order': {
      const { phase, names, problem } = value as OrderValue
      return `${names.join(', ')}: ${phase}${problem === undefined ? '' : ` (${plainLine(problem.detail)})`}`
    }
    case 'revocation': {
      const { name, phase } = value as RevocationValue
      return `${name}: ${phase}`
    }
    case 'challenge':
      return `until ${new Date((value as ChallengeValue).untilMs).toISOString()}`
    case 'grant':
      return 'sealed'
    case 'peer': {
      const { endpoint, address } = value as PeerView
      return `${endpoint === null ? 'an external peer' : plainLine(endpoint)}, ${address} in the mesh`
    }
    case 'alias':
    case 'hold':
    case 'announcement':
      return 'yes'
    case 'cluster':
    case 'node':
    case 'node-field':
    case undefined:
      return plainLine(JSON.stringify(value))
    default:
      return parts satisfies never
  }
}

/** The second value by what is other in it than in the first. */
export function formatDifference(key: Key, first: unknown, second: unknown): string {
  if (first === undefined || second === undefined || findKeyParts(key)?.kind !== 'record')
    return formatValue(key, second)
  const [a, b] = [first as RecordValue, second as RecordValue]
  if (a.geo !== b.geo) return formatValue(key, second)
  const words = [
    ...b.values.filter((value) => !a.values.includes(value)).map((value) => `+ ${plainLine(value)}`),
    ...a.values.filter((value) => !b.values.includes(value)).map((value) => `- ${plainLine(value)}`),
    ...(a.ttl === b.ttl ? [] : [`TTL ${b.ttl} instead of ${a.ttl}`]),
  ]
  return words.join(', ') || 'the same'
}

function formatRelease(release: ReleaseValue): string {
  const { files, bytes, tree, commit, rollbackOf, functions = [], transforms = [] } = release
  return [
    `${count(files, 'file')}, ${formatBytes(bytes)}, tree ${tree.slice(0, 10)}`,
    ...(commit === undefined ? [] : [`commit ${plainLine(commit).slice(0, 12)}`]),
    ...(functions.length === 0 ? [] : [count(functions.length, 'function')]),
    ...(transforms.length === 0 ? [] : [count(transforms.length, 'transform')]),
    ...(rollbackOf === undefined ? [] : [`back to ${shortId(rollbackOf)}`]),
  ].join(', ')
}

function formatSettings({ spa, onConcurrent, previews, redirect }: DomainValue): string {
  return [
    redirect === undefined ? 'a site' : `redirects to ${plainLine(redirect)}`,
    ...(spa ? ['unknown paths answer /index.html'] : []),
    ...(onConcurrent === 'merge' ? ['concurrent releases are merged'] : []),
    ...(previews ? [] : ['no previews']),
  ].join(', ')
}
