import { absoluteName, type Change, type Operation, shortId } from '../../core/index.ts'
import { BEST_NODE, count, formatBytes, plainLine } from './text.ts'

/** Longer lists are cut: the whole of it is in `--json`. */
const MAX_LISTED = 8

/** A change in words, as an order ("set www.example.com A to 192.0.2.1"): it reads well before and after the fact. */
export function describeChange(change: Change): string {
  switch (change.kind) {
    case 'cluster.create':
      return `create the cluster ${quote(change.name)} with the operator ${quote(change.operator.name)}`
    case 'operator.add': {
      const domains = change.role === 'deployer' ? ` for ${list(change.domains ?? []) || 'no domain'}` : ''
      return `add the ${change.role} ${quote(change.name)} (${shortId(change.key)})${domains}`
    }
    case 'operator.remove':
      return `${REMOVALS[change.how]} the operator ${shortId(change.key)}`
    case 'node.join':
      return `let the node ${change.name} (${shortId(change.key)}) join at ${formatAddresses(change.addresses)}`
    case 'node.update':
      return `change ${list(describeNodeFields(change.set))} of the node ${shortId(change.key)}`
    case 'node.remove':
      return `${REMOVALS[change.how]} the node ${shortId(change.key)}`
    case 'peer.set':
      return `let the nodes reach the external peer ${change.name} ${change.endpoint === null ? 'wherever it comes from' : `at ${plainLine(change.endpoint)}`}`
    case 'peer.remove':
      return `remove the external peer ${change.name}`
    case 'domain.set':
      return `set up the domain ${change.domain}${describeSettings(change)}`
    case 'domain.remove':
      return `remove the domain ${change.domain}`
    case 'alias.set':
      return `serve ${change.domain} as ${change.host} too`
    case 'alias.remove':
      return `no longer serve ${change.domain} as ${change.host}`
    case 'record.set':
      return `set ${absoluteName(change.name, change.domain)} ${change.type} to ${change.geo === true ? BEST_NODE : list(change.values.map(plainLine))} (TTL ${change.ttl})`
    case 'record.remove':
      return `remove ${absoluteName(change.name, change.domain)} ${change.type}`
    case 'release.publish': {
      const size = `${count(change.files, 'file')}, ${formatBytes(change.bytes)}`
      if (change.rollbackOf !== undefined)
        return `roll ${change.domain} back to release ${shortId(change.rollbackOf)} (${size})`
      const commit = change.commit === undefined ? '' : `, commit ${plainLine(change.commit).slice(0, 12)}`
      const components = describeComponents(change)
      return `publish ${change.domain} (${size}${components}${commit})`
    }
    case 'release.hold':
      return change.hold ? `hold the releases of ${change.domain}` : `let sync publish to ${change.domain} again`
    case 'release.purge':
      return `purge the releases of ${change.domain} but ${shortId(change.keep)}`
    case 'seal.epoch':
      return `begin the seal epoch ${shortId(change.epoch)}`
    case 'seal.grant':
      return `let the node ${shortId(change.node)} open what is sealed to the epoch ${shortId(change.epoch)}`
    case 'certificate.set':
      return `set the certificate of ${list(change.names)}, valid until ${formatDate(change.notAfterMs)}`
    case 'certificate.remove':
      return `remove the certificate of ${change.name}`
    case 'certificate.account':
      return `set the account at ${plainLine(change.directory)}`
    case 'certificate.order':
      return `${ORDERS[change.phase]} the certificate of ${list(change.names)}${change.problem === undefined ? '' : ` (${plainLine(change.problem.detail)})`}`
    case 'certificate.revoke':
      return `${REVOCATIONS[change.phase]} the certificate of ${change.name} at ${plainLine(change.directory)}`
    case 'challenge.set':
      return `show a certificate authority that ${change.host} is ours`
    case 'challenge.remove':
      return `show no certificate authority any more that ${change.host} is ours`
    default:
      return change satisfies never
  }
}

/** An operation's changes in words; for one that cannot be read, why. */
export function describeOperation(operation: Pick<Operation, 'changes' | 'defect'>): readonly string[] {
  const { defect } = operation
  if (defect === undefined) return operation.changes.map(describeChange)
  if (defect.kind === 'newer-schema') return [`something of schema ${defect.schema}, which this version does not know`]
  return [`something that cannot be read: change ${defect.index} is malformed (${plainLine(defect.fault)})`]
}

/** The project whose sync wrote an operation, as far as its changes name one. */
export function findVia(operation: Pick<Operation, 'changes'>): string | undefined {
  for (const change of operation.changes) if ('via' in change && change.via !== undefined) return change.via
  return undefined
}

function describeComponents({ functions = [], transforms = [] }: Extract<Change, { kind: 'release.publish' }>): string {
  const parts = [
    ...(functions.length === 0 ? [] : [count(functions.length, 'function')]),
    ...(transforms.length === 0 ? [] : [count(transforms.length, 'transform')]),
  ]
  return parts.map((part) => `, ${part}`).join('')
}

const formatDate = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

const REMOVALS = { retire: 'remove', revoke: 'revoke' } as const

const ORDERS = {
  open: 'order',
  waiting: 'wait with',
  failed: 'try again later to get',
  done: 'be done with ordering',
} as const

const REVOCATIONS = { due: 'revoke', done: 'be done with revoking', 'given-up': 'give up revoking' } as const

const quote = (text: string): string => JSON.stringify(plainLine(text))

function list(items: readonly string[]): string {
  if (items.length <= MAX_LISTED) return items.join(', ')
  return `${items.slice(0, MAX_LISTED).join(', ')} and ${items.length - MAX_LISTED} more`
}

function formatAddresses({ ipv4, ipv6 }: { ipv4: string | null; ipv6: string | null }): string {
  return [ipv4, ipv6].filter((address) => address !== null).join(' and ') || 'no public address'
}

type NodeUpdate = Extract<Change, { kind: 'node.update' }>['set']

function describeNodeFields(set: NodeUpdate): string[] {
  const words: string[] = []
  if (set.addresses !== undefined) words.push(`addresses to ${formatAddresses(set.addresses)}`)
  if (set.place !== undefined)
    words.push(`place to ${set.place === null ? 'unknown' : `${set.place.latitude}, ${set.place.longitude}`}`)
  if (set.nameserver !== undefined) words.push(`name server to ${set.nameserver ? 'yes' : 'no'}`)
  if (set.drained !== undefined) words.push(`drained to ${set.drained ? 'yes' : 'no'}`)
  if (set.schema !== undefined) words.push(`schema to ${set.schema}`)
  if (set.mesh !== undefined) words.push(`mesh to ${formatMesh(set.mesh)}`)
  return words
}

function formatMesh({ endpoint, port }: NonNullable<NodeUpdate['mesh']>): string {
  if (endpoint === undefined) return `port ${port}`
  return endpoint === null ? 'no endpoint' : plainLine(endpoint)
}

function describeSettings(change: Extract<Change, { kind: 'domain.set' }>): string {
  const words: string[] = []
  if (change.redirect !== undefined) words.push(`redirects to ${plainLine(change.redirect)}`)
  if (change.spa) words.push('unknown paths answer /index.html')
  if (change.onConcurrent === 'merge') words.push('concurrent releases are merged')
  if (!change.previews) words.push('no previews')
  return words.length === 0 ? '' : `: ${words.join(', ')}`
}
