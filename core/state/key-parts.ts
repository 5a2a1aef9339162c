import { MakiError } from '../errors.ts'
import type { MemberKey, OperationId } from '../ids.ts'
import type { Hostname, NodeName, OwnerName } from '../names.ts'
import type { CertificateName, SealEpochKey } from '../operation/index.ts'
import { type Key, NODE_FIELDS, type NodeField } from './keys.ts'

/** What a key is about: `keys` read backwards. */
export type KeyParts =
  | { readonly kind: 'cluster' }
  | { readonly kind: 'member'; readonly member: MemberKey }
  | { readonly kind: 'node'; readonly node: MemberKey }
  | { readonly kind: 'node-field'; readonly node: MemberKey; readonly field: NodeField }
  | { readonly kind: 'node-name'; readonly name: NodeName }
  | { readonly kind: 'peer'; readonly name: NodeName }
  | { readonly kind: 'domain' | 'release' | 'hold' | 'purge'; readonly domain: Hostname }
  | { readonly kind: 'alias'; readonly domain: Hostname; readonly host: Hostname }
  | { readonly kind: 'record'; readonly domain: Hostname; readonly name: OwnerName; readonly type: string }
  | { readonly kind: 'announcement'; readonly epoch: SealEpochKey; readonly announcer: MemberKey }
  | { readonly kind: 'grant'; readonly epoch: SealEpochKey; readonly node: MemberKey; readonly giver: MemberKey }
  | { readonly kind: 'certificate'; readonly name: CertificateName }
  | { readonly kind: 'account'; readonly hash: string }
  | { readonly kind: 'order'; readonly name: CertificateName; readonly author: MemberKey }
  | { readonly kind: 'revocation'; readonly id: OperationId }
  | { readonly kind: 'challenge'; readonly host: Hostname; readonly author: MemberKey }
  | { readonly kind: 'host'; readonly host: Hostname }

/**
 * Undefined for what no operation ever writes. The names inside are those of the state, which were checked when their
 * operation was read; a key that somebody typed is looked up, never trusted.
 */
export function findKeyParts(key: Key): KeyParts | undefined {
  const [kind = '', id = '', ...rest] = key.split('/')
  const [first, second, third] = rest
  const none = rest.length === 0
  if (kind === 'cluster') return key === 'cluster' ? { kind } : undefined
  if (id === '') return undefined
  switch (kind) {
    case 'member':
      return none ? { kind, member: id as MemberKey } : undefined
    case 'node': {
      if (none) return { kind, node: id as MemberKey }
      const field = NODE_FIELDS.find((name) => name === first)
      if (rest.length > 1 || field === undefined) return undefined
      return { kind: 'node-field', node: id as MemberKey, field }
    }
    case 'node-name':
      return none ? { kind, name: id as NodeName } : undefined
    case 'peer':
      return none ? { kind, name: id as NodeName } : undefined
    case 'domain': {
      const domain = id as Hostname
      if (none) return { kind, domain }
      if (rest.length === 1 && (first === 'release' || first === 'hold' || first === 'purge'))
        return { kind: first, domain }
      if (rest.length === 2 && first === 'alias') return { kind: 'alias', domain, host: second as Hostname }
      if (rest.length === 3 && first === 'rrset')
        return { kind: 'record', domain, name: second as OwnerName, type: third as string }
      return undefined
    }
    case 'order':
      return rest.length === 2 && first === 'by'
        ? { kind, name: id as CertificateName, author: second as MemberKey }
        : undefined
    case 'challenge':
      return rest.length === 2 && first === 'by'
        ? { kind, host: id as Hostname, author: second as MemberKey }
        : undefined
    case 'revocation':
      return none ? { kind, id: id as OperationId } : undefined
    case 'seal':
      if (rest.length === 2 && first === 'by')
        return { kind: 'announcement', epoch: id as SealEpochKey, announcer: second as MemberKey }
      if (rest.length !== 3 || first !== 'grant') return undefined
      return { kind: 'grant', epoch: id as SealEpochKey, node: second as MemberKey, giver: third as MemberKey }
    case 'certificate':
      return none ? { kind, name: id as CertificateName } : undefined
    case 'account':
      return none ? { kind, hash: id } : undefined
    case 'host':
      return none ? { kind, host: id as Hostname } : undefined
    default:
      return undefined
  }
}

/** As `findKeyParts`, for a key of the state; an Error for any other. */
export function parseKey(key: Key): KeyParts {
  const parts = findKeyParts(key)
  if (parts === undefined) throw new MakiError('MAKI_INVALID', `${JSON.stringify(key)} is no key of the state`)
  return parts
}
