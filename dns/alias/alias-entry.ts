import type { NameKey } from '../wire/index.ts'
import type { AliasAddresses } from './alias-addresses.ts'
import { isPublicAddress } from './public-address.ts'

/** What is known of one target; plain data, kept over restarts. Times are milliseconds since the Unix epoch. */
export interface AliasEntry {
  readonly target: NameKey
  /** Sorted: resolvers turn the order with every answer. */
  readonly ipv4: readonly string[]
  readonly ipv6: readonly string[]
  /** Seconds, within ALIAS_TTL. */
  readonly ttl: number
  /** When the addresses were told; null before the first time. */
  readonly resolvedMs: number | null
  /** Since when the target has had no address, according to those who should know; null while it has one. */
  readonly noneSinceMs: number | null
  /** Why the last look did not go well; null when it did. */
  readonly failing: AliasFailure | null
  /** Addresses of the last look that are not public: they are never answered. */
  readonly refused: readonly string[]
}

export interface AliasFailure {
  readonly sinceMs: number
  readonly reason: string
  /** Looks in a row that did not go well. */
  readonly attempts: number
}

/** What came of asking for the addresses of one family. */
export type FamilyOutcome =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[]; readonly ttl: number }
  /** NXDOMAIN or NODATA. */
  | { readonly kind: 'none' }
  | { readonly kind: 'failed'; readonly reason: string }

export interface AliasOutcome {
  readonly ipv4: FamilyOutcome
  readonly ipv6: FamilyOutcome
}

/** Seconds. Less would have us ask all the time, more would keep what has moved. */
export const ALIAS_TTL = { min: 30, max: 3600 } as const
/** Of one family; an answer with so many fits into any message. */
export const MAX_ALIAS_ADDRESSES = 16
/** How long a target that is gone is answered as it was: whoever changes a name sometimes deletes it first. */
export const GONE_AFTER_MS = 3_600_000
const FIRST_RETRY_MS = 30_000
const LAST_RETRY_MS = 600_000

export const unresolvedAlias = (target: NameKey): AliasEntry => ({
  target,
  ipv4: [],
  ipv6: [],
  ttl: ALIAS_TTL.min,
  resolvedMs: null,
  noneSinceMs: null,
  failing: null,
  refused: [],
})

/**
 * What is known after a look, and when to look again. Addresses that are not public are left out. A family that could
 * not be looked up keeps what it had, for ever; a target without any address keeps it for an hour and is empty then.
 * `chance` is uniform in [0, 1) and spreads the looks. Pure.
 */
export function settleAlias(
  before: AliasEntry,
  outcome: AliasOutcome,
  nowMs: number,
  chance: number,
): { readonly entry: AliasEntry; readonly delayMs: number } {
  const { target } = before
  const ipv4 = keepPublic(outcome.ipv4)
  const ipv6 = keepPublic(outcome.ipv6)
  const both = [ipv4, ipv6]
  const refused = both.flatMap((family) => family.refused).slice(0, MAX_ALIAS_ADDRESSES)
  const found = both.filter((family) => family.addresses.length > 0)
  const failed = both.find((family) => family.failed !== undefined)?.failed
  const attempts = (before.failing?.attempts ?? 0) + 1
  const failing = (reason: string): AliasFailure => ({
    sinceMs: before.failing?.sinceMs ?? nowMs,
    reason,
    attempts,
  })
  const retryMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempts - 1, 10)) * (1 + chance / 10)
  if (found.length > 0) {
    const ttl = Math.min(ALIAS_TTL.max, Math.max(ALIAS_TTL.min, ...[Math.min(...found.map((family) => family.ttl))]))
    const entry: AliasEntry = {
      target,
      ipv4: ipv4.failed === undefined ? ipv4.addresses : before.ipv4,
      ipv6: ipv6.failed === undefined ? ipv6.addresses : before.ipv6,
      ttl,
      resolvedMs: nowMs,
      noneSinceMs: null,
      failing: failed === undefined ? null : failing(failed),
      refused,
    }
    // Before it ends, and not with all the others that were made with it.
    const againMs = ttl * 1000 * (0.75 + chance / 5)
    return { entry, delayMs: failed === undefined ? againMs : Math.min(againMs, retryMs) }
  }
  if (failed !== undefined) return { entry: { ...before, failing: failing(failed), refused }, delayMs: retryMs }
  const noneSinceMs = before.noneSinceMs ?? nowMs
  const reason = refused.length > 0 ? 'it has no public address' : 'it has no address'
  const isGone = before.resolvedMs === null || nowMs - noneSinceMs >= GONE_AFTER_MS
  const kept = isGone ? { ...unresolvedAlias(target), resolvedMs: nowMs } : before
  return { entry: { ...kept, noneSinceMs, failing: failing(reason), refused }, delayMs: retryMs }
}

/** What answers are made from; undefined for what nothing was ever heard of. What is kept is not to be kept for long. */
export function aliasAddressesOf(entry: AliasEntry): AliasAddresses | undefined {
  if (entry.resolvedMs === null) return undefined
  const { target, ipv4, ipv6 } = entry
  return { target, ipv4, ipv6, ttl: entry.failing === null ? entry.ttl : ALIAS_TTL.min }
}

interface PublicFamily {
  readonly addresses: readonly string[]
  readonly ttl: number
  readonly refused: readonly string[]
  readonly failed: string | undefined
}

function keepPublic(outcome: FamilyOutcome): PublicFamily {
  const nothing = { addresses: [], ttl: 0, refused: [], failed: undefined }
  switch (outcome.kind) {
    case 'addresses': {
      const all = [...new Set(outcome.addresses)].sort()
      const { ttl } = outcome
      return {
        addresses: all.filter(isPublicAddress).slice(0, MAX_ALIAS_ADDRESSES),
        ttl: Number.isFinite(ttl) ? ttl : 0,
        refused: all.filter((address) => !isPublicAddress(address)).slice(0, MAX_ALIAS_ADDRESSES),
        failed: undefined,
      }
    }
    case 'none':
      return nothing
    case 'failed':
      return { ...nothing, failed: outcome.reason }
    default:
      return outcome satisfies never
  }
}
