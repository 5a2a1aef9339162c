import type { Runtime } from '../../core/index.ts'
import type { AddressPolicy, RefusalReason } from './address-policy.ts'
import type { NameResolver } from './name-resolver.ts'

/** What a connection of one run rests on. */
export interface Grant {
  readonly policy: AddressPolicy
  readonly resolver: NameResolver
  readonly runtime: Pick<Runtime, 'after' | 'monotonic'>
  /** Something may go on that could not before. */
  readonly changed: () => void
  /** Counts and tells of what was refused. */
  readonly refused: (refusal: Refusal) => void
  /** Counts what went wrong beyond us. */
  readonly failed: () => void
}

/** Something that was refused to a guest. */
export interface Refusal {
  readonly why: RefusalReason
  readonly what: string
  readonly host?: string | undefined
  readonly address?: string | undefined
  readonly port?: number | undefined
}

/** A connection or a request of a guest's. */
export interface Held {
  isReady(until: 'read' | 'write'): boolean
  /** It is not wanted any more. What was written before is sent, if the other side takes it within two seconds. */
  release(): void
  /** Ends it at once. */
  destroy(): void
}
