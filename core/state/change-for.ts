import type { Change } from '../operation/index.ts'
import { parseKey } from './key-parts.ts'
import { type Key, keys } from './keys.ts'
import type {
  AccountValue,
  CertificateValue,
  ChallengeValue,
  DomainValue,
  MemberValue,
  OrderValue,
  RecordValue,
  ReleaseValue,
  RevocationValue,
  State,
} from './state.ts'
import type { PeerView } from './views.ts'

/** What a change is made with besides key and value. */
export interface ChangeForOptions {
  /** The project that it is written for; only for kinds of changes that name one. */
  readonly via?: string | undefined
  /** Where the settings of a domain are read whose own host name is claimed: one change writes both. */
  readonly state?: Pick<State, 'get'> | undefined
}

/**
 * The change that gives a key a value (undefined: takes it away): the inverse of `compileEffects`, which makes of it
 * `value` for `key`. What else the change writes belongs to the key: with an alias or a domain the claim of its host, with
 * a claim the alias (or the settings) that claims it; without a domain all that is in it.
 *
 * Undefined where no single change says it: a cluster, who belongs to it, and its nodes' names come about by joining; a
 * release, a purge, a claim and a node's field are replaced and never taken away. A grant is its giver's to sign, an announcement
 * its announcer's, an order and a challenge those of the node that orders.
 */
export function changeFor(key: Key, value: unknown, options: ChangeForOptions = {}): Change | undefined {
  const parts = parseKey(key)
  const via = options.via === undefined ? {} : { via: options.via }
  const gone = value === undefined
  switch (parts.kind) {
    case 'cluster':
    case 'node':
    case 'node-name':
      return undefined
    case 'member': {
      const { name, role, domains } = (value ?? {}) as Partial<MemberValue>
      if (name === undefined || (role !== 'operator' && role !== 'deployer')) return undefined
      return { kind: 'operator.add', key: parts.member, name, role, ...(domains === undefined ? {} : { domains }) }
    }
    case 'node-field':
      return gone ? undefined : { kind: 'node.update', key: parts.node, set: { [parts.field]: value } }
    case 'peer':
      if (gone) return { kind: 'peer.remove', name: parts.name }
      return { kind: 'peer.set', ...(value as PeerView) }
    case 'domain':
      if (gone) return { kind: 'domain.remove', domain: parts.domain, ...via }
      return { kind: 'domain.set', domain: parts.domain, ...(value as DomainValue), ...via }
    case 'alias':
      return { kind: gone ? 'alias.remove' : 'alias.set', domain: parts.domain, host: parts.host, ...via }
    case 'record': {
      const { domain, name, type } = parts
      if (gone) return { kind: 'record.remove', domain, name, type, ...via }
      const { ttl, values, geo } = value as RecordValue
      return { kind: 'record.set', domain, name, type, ttl, values, ...(geo === undefined ? {} : { geo }), ...via }
    }
    case 'release':
      return gone ? undefined : { kind: 'release.publish', domain: parts.domain, ...(value as ReleaseValue), ...via }
    case 'hold':
      return { kind: 'release.hold', domain: parts.domain, hold: !gone }
    case 'purge':
      return gone ? undefined : { kind: 'release.purge', domain: parts.domain, ...(value as { keep: never }) }
    case 'announcement':
      return gone ? undefined : { kind: 'seal.epoch', epoch: parts.epoch }
    case 'grant':
      return gone ? undefined : { kind: 'seal.grant', epoch: parts.epoch, node: parts.node, box: value as string }
    case 'certificate':
      if (gone) return { kind: 'certificate.remove', name: parts.name }
      return { kind: 'certificate.set', ...(value as CertificateValue) }
    case 'account':
      return gone ? undefined : { kind: 'certificate.account', ...(value as AccountValue) }
    case 'order':
      return gone ? undefined : { kind: 'certificate.order', ...(value as OrderValue) }
    case 'revocation':
      return gone ? undefined : { kind: 'certificate.revoke', ...(value as RevocationValue) }
    case 'challenge': {
      const { host, author } = parts
      if (gone) return { kind: 'challenge.remove', host, author }
      return { kind: 'challenge.set', host, ...(value as ChallengeValue) }
    }
    case 'host': {
      const domain = (value as { domain: typeof parts.host } | undefined)?.domain
      if (domain === undefined) return undefined
      if (domain !== parts.host) return { kind: 'alias.set', domain, host: parts.host, ...via }
      const settings = options.state?.get(keys.domain(domain))?.value as DomainValue | undefined
      return settings === undefined ? undefined : { kind: 'domain.set', domain, ...settings, ...via }
    }
    default:
      return parts satisfies never
  }
}
