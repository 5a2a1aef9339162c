import type { Change, Operation } from '../operation/index.ts'
import { type Key, keys, NODE_FIELDS, type Scope } from './keys.ts'

/** What a key is after an operation that touches it. `value` undefined: the operation removes it. */
export interface Effect {
  readonly value: unknown
  readonly via: string | undefined
}

/** The whole of an operation, compiled: the last change that touches a key decides; scopes are removed with all keys in them. */
export interface Effects {
  readonly keys: ReadonlyMap<Key, Effect>
  readonly removedScopes: ReadonlySet<Scope>
}

export function compileEffects(operation: Pick<Operation, 'author' | 'changes' | 'stamp'>): Effects {
  const effects = new Map<Key, Effect>()
  const removedScopes = new Set<Scope>()
  for (const change of operation.changes) {
    const via = 'via' in change ? change.via : undefined
    applyChange(change, operation, {
      set: (key, value) => effects.set(key, { value, via }),
      remove: (key) => effects.set(key, { value: undefined, via }),
      removeScope: (scope) => {
        removedScopes.add(scope)
        for (const key of effects.keys()) {
          if (key === scope || key.startsWith(`${scope}/`)) effects.set(key, { value: undefined, via })
        }
      },
    })
  }
  return { keys: effects, removedScopes }
}

interface Writer {
  set(key: Key, value: unknown): void
  remove(key: Key): void
  removeScope(scope: Scope): void
}

function applyChange(change: Change, by: Pick<Operation, 'author' | 'stamp'>, write: Writer): void {
  switch (change.kind) {
    case 'cluster.create':
      write.set(keys.cluster(), { name: change.name, createdMs: by.stamp.wallMs, recovery: change.recovery })
      write.set(keys.member(change.recovery), { name: 'recovery', role: 'recovery' })
      write.set(keys.member(change.operator.key), { name: change.operator.name, role: 'operator' })
      return
    case 'operator.add': {
      const domains = change.domains === undefined ? {} : { domains: change.domains }
      write.set(keys.member(change.key), { name: change.name, role: change.role, ...domains })
      return
    }
    case 'operator.remove':
      write.remove(keys.member(change.key))
      return
    case 'node.join':
      write.set(keys.member(change.key), { name: change.name, role: 'node' })
      write.set(keys.node(change.key), { name: change.name })
      write.set(keys.nodeName(change.name), { node: change.key })
      for (const field of NODE_FIELDS) {
        const value = change[field]
        if (value !== undefined) write.set(keys.nodeField(change.key, field), value)
      }
      return
    case 'node.update':
      for (const field of NODE_FIELDS) {
        const value = change.set[field]
        if (value !== undefined) write.set(keys.nodeField(change.key, field), value)
      }
      return
    case 'node.remove':
      write.remove(keys.member(change.key))
      write.removeScope(keys.node(change.key))
      return
    case 'peer.set': {
      const { kind, ...value } = change
      write.set(keys.peer(change.name), value)
      return
    }
    case 'peer.remove':
      write.remove(keys.peer(change.name))
      return
    case 'domain.set': {
      const redirect = change.redirect === undefined ? {} : { redirect: change.redirect }
      const { spa, onConcurrent, previews } = change
      write.set(keys.domain(change.domain), { spa, onConcurrent, previews, ...redirect })
      write.set(keys.host(change.domain), { domain: change.domain })
      return
    }
    // Claims of hosts stay behind, dormant: taking one away could undo the claim of the domain that won it.
    case 'domain.remove':
      write.removeScope(keys.domain(change.domain))
      return
    case 'alias.set':
      write.set(keys.alias(change.domain, change.host), true)
      write.set(keys.host(change.host), { domain: change.domain })
      return
    case 'alias.remove':
      write.remove(keys.alias(change.domain, change.host))
      return
    case 'record.set': {
      const { name, type, ttl, values } = change
      const geo = change.geo === undefined ? {} : { geo: change.geo }
      write.set(keys.record(change.domain, name, type), { name, type, ttl, values, ...geo })
      return
    }
    case 'record.remove':
      write.remove(keys.record(change.domain, change.name, change.type))
      return
    case 'release.publish': {
      const { kind, domain, via, ...value } = change
      write.set(keys.release(domain), value)
      return
    }
    case 'release.hold':
      if (change.hold) write.set(keys.hold(change.domain), true)
      else write.remove(keys.hold(change.domain))
      return
    case 'release.purge':
      write.set(keys.purge(change.domain), { keep: change.keep })
      return
    case 'seal.epoch':
      write.set(keys.announcement(change.epoch, by.author), true)
      return
    case 'seal.grant':
      write.set(keys.grant(change.epoch, change.node, by.author), change.box)
      return
    case 'certificate.set': {
      const { kind, ...value } = change
      write.set(keys.certificate(change.name), value)
      return
    }
    case 'certificate.remove':
      write.remove(keys.certificate(change.name))
      return
    case 'certificate.account': {
      const { kind, ...value } = change
      write.set(keys.account(change.directory), value)
      return
    }
    case 'certificate.order': {
      const { kind, ...value } = change
      write.set(keys.order(change.name, by.author), value)
      return
    }
    case 'certificate.revoke': {
      const { kind, ...value } = change
      write.set(keys.revocation(change.id), value)
      return
    }
    case 'challenge.set': {
      const { http, dns, untilMs } = change
      write.set(keys.challenge(change.host, by.author), { http, dns, untilMs })
      return
    }
    case 'challenge.remove':
      write.remove(keys.challenge(change.host, change.author))
      return
    default:
      change satisfies never
  }
}
