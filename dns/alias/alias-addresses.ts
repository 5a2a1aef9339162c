import type { NameKey } from '../wire/index.ts'

/** What the target of an ALIAS resolved to, the last time that it did; plain data, for it crosses process boundaries. */
export interface AliasAddresses {
  readonly target: NameKey
  readonly ipv4: readonly string[]
  readonly ipv6: readonly string[]
  /** Seconds that an answer may be remembered. */
  readonly ttl: number
}

/** By target. A target that never resolved is not in it. */
export type AliasTable = ReadonlyMap<NameKey, AliasAddresses>
