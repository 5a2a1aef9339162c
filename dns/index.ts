export {
  ALIAS_TTL,
  type AliasAddresses,
  type AliasCounts,
  type AliasEntry,
  type AliasLookup,
  type AliasOutcome,
  AliasResolver,
  AliasTargets,
  type FamilyOutcome,
  isPublicAddress,
  MAX_ALIAS_ADDRESSES,
} from './alias/index.ts'
export { type AnswerContext, answer } from './answer/index.ts'
export {
  type ChoiceStep,
  type ExplainedRecord,
  type ExplainedStep,
  type ExplainQuestion,
  type Explanation,
  explain,
  type LookUpStep,
  parseExplainQuestion,
  type ResolvedStep,
  type Written,
} from './explain/index.ts'
export {
  formatMasterFile,
  MAX_MASTER_FILE_BYTES,
  type MasterFault,
  type MasterFile,
  type MasterRecord,
  type MasterSet,
  parseMasterFile,
} from './master-file/index.ts'
export type { ClientSubnet, Transport } from './message/index.ts'
export {
  canonicalRecordValue,
  checkAlone,
  checkRrset,
  decodeRdata,
  encodeRdata,
  findAddress,
  findConflict,
  formatRdata,
  parseExplicitType,
} from './rdata/index.ts'
export { type DnsCounters, type DnsServer, QUERY_BOUNDS_S, startDnsServer } from './server/index.ts'
export { NameService, type NameServiceOptions, type Reply, respond } from './service/index.ts'
export {
  countryCenters,
  type DatabaseInfo,
  findNetwork,
  GeoDatabase,
  GeoLocator,
  type Located,
  MAX_DATABASE_BYTES,
  type Network,
  nowhere,
  type PlaceFiles,
  type PlaceRule,
  type PlaceTarget,
  Steering,
} from './steering/index.ts'
export {
  CLASS_IN,
  EXPLICIT_TYPES,
  type ExplicitType,
  encodeWireName,
  formatType,
  RCODES,
  spellOctet,
  TYPE_CODES,
} from './wire/index.ts'
export {
  AUTOMATIC_TTL,
  buildZone,
  DnsProjection,
  isReplacedBy,
  listReplaced,
  lookUp,
  type Zone,
  ZoneTable,
} from './zone/index.ts'
