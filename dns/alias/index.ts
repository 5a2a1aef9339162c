export type { AliasAddresses, AliasTable } from './alias-addresses.ts'
export {
  ALIAS_TTL,
  type AliasEntry,
  type AliasOutcome,
  aliasAddressesOf,
  type FamilyOutcome,
  GONE_AFTER_MS,
  MAX_ALIAS_ADDRESSES,
  settleAlias,
  unresolvedAlias,
} from './alias-entry.ts'
export { type AliasCounts, type AliasLookup, AliasResolver } from './alias-resolver.ts'
export { AliasTargets } from './alias-targets.ts'
export { isPublicAddress } from './public-address.ts'
