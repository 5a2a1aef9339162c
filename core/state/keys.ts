import { createHash } from 'node:crypto'
import type { MemberKey, OperationId } from '../ids.ts'
import type { Hostname, NodeName, OwnerName } from '../names.ts'
import type { CertificateName, ChangeOf, SealEpochKey } from '../operation/index.ts'

/**
 * Keys are `kind`, `kind/id` or `kind/id/part…`. The first two segments are the key's *scope*: what one projection
 * rebuilds at once, and what a removal takes away whole. No segment can hold a slash.
 */
export type Key = string
/** A key's first two segments, or the only one. */
export type Scope = string

/** The one place that knows how keys are spelled. */
export const keys = {
  cluster: (): Key => 'cluster',
  member: (key: MemberKey): Key => `member/${key}`,
  node: (key: MemberKey): Key => `node/${key}`,
  nodeField: (key: MemberKey, field: NodeField): Key => `node/${key}/${field}`,
  nodeName: (name: NodeName): Key => `node-name/${name}`,
  domain: (domain: Hostname): Key => `domain/${domain}`,
  alias: (domain: Hostname, host: Hostname): Key => `domain/${domain}/alias/${host}`,
  record: (domain: Hostname, name: OwnerName, type: string): Key => `domain/${domain}/rrset/${name}/${type}`,
  release: (domain: Hostname): Key => `domain/${domain}/release`,
  hold: (domain: Hostname): Key => `domain/${domain}/hold`,
  purge: (domain: Hostname): Key => `domain/${domain}/purge`,
  /** All that is known of an epoch. */
  seal: (epoch: SealEpochKey): Scope => `seal/${epoch}`,
  /** One for each announcer: nobody hides that somebody else said it first. */
  announcement: (epoch: SealEpochKey, announcer: MemberKey): Key => `seal/${epoch}/by/${announcer}`,
  /** One for each giver: two that give at once are no conflict. */
  grant: (epoch: SealEpochKey, node: MemberKey, giver: MemberKey): Key => `seal/${epoch}/grant/${node}/${giver}`,
  certificate: (name: CertificateName): Key => `certificate/${name}`,
  /** A directory URL has slashes, so its hash stands for it. */
  account: (directory: string): Key => `account/${createHash('sha256').update(directory).digest('hex')}`,
  /** One for each author: two that order at once are no conflict. */
  order: (name: CertificateName, author: MemberKey): Key => `order/${name}/by/${author}`,
  revocation: (id: OperationId): Key => `revocation/${id}`,
  /** One for each author: two that order at once show both. */
  challenge: (host: Hostname, author: MemberKey): Key => `challenge/${host}/by/${author}`,
  host: (host: Hostname): Key => `host/${host}`,
  peer: (name: NodeName): Key => `peer/${name}`,
}

export function scopeOf(key: Key): Scope {
  const first = key.indexOf('/')
  if (first === -1) return key
  const second = key.indexOf('/', first + 1)
  return second === -1 ? key : key.slice(0, second)
}

export const scopeKind = (scope: Scope): string => {
  const slash = scope.indexOf('/')
  return slash === -1 ? scope : scope.slice(0, slash)
}

/** What a node says of itself, a key each, so that two who set different ones are no conflict. */
export const NODE_FIELDS = [
  'addresses',
  'place',
  'nameserver',
  'drained',
  'schema',
  'mesh',
] as const satisfies readonly (keyof ChangeOf<'node.join'>)[]
export type NodeField = (typeof NODE_FIELDS)[number]
