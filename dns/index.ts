export {
  ALIAS_TTL,
  type AliasAddresses,
  type AliasCounts,
  type AliasEntry,
  type AliasLookup,
  type AliasOutcome,
  AliasResolver,
  type AliasResolverOptions,
  AliasTargets,
  type FamilyOutcome,
  isPublicAddress,
  MAX_ALIAS_ADDRESSES,
} from './alias/index.ts'
export { type AnswerContext, answer } from './answer/index.ts'
export {
  formatMasterFile,
  MAX_MASTER_FILE_BYTES,
  type MasterFault,
  type MasterFile,
  type MasterRecord,
  type MasterSet,
  parseMasterFile,
  type SetAside,
} from './master-file/index.ts'
export {
  buildResponse,
  type Edns,
  finishResponse,
  type Header,
  limitOf,
  type Query,
  type Question,
  type ReadQuery,
  type Response,
  readQuery,
  type Transport,
} from './message/index.ts'
export {
  canonicalRecordValue,
  checkRrset,
  formatRdata,
  MAX_TTL,
  parseExplicitType,
  parseRdata,
  type Rdata,
  type Rrset,
  type Soa,
} from './rdata/index.ts'
export {
  type AnswersMessages,
  type DnsCounters,
  type DnsServer,
  type DnsServerOptions,
  startDnsServer,
  TCP_LIMITS,
  type TcpLimits,
} from './server/index.ts'
export { NameService, type NameServiceOptions, type PlaceFiles, type Reply, respond } from './service/index.ts'
export {
  type Candidate,
  type Choice,
  type Located,
  type Locator,
  nowhere,
  type PassedOver,
  type Readiness,
  Steering,
} from './steering/index.ts'
export {
  EXPLICIT_TYPES,
  type ExplicitType,
  formatType,
  RCODES,
  type Rcode,
  type RecordType,
  TYPE_CODES,
} from './wire/index.ts'
export {
  type BuiltZone,
  buildZone,
  DnsProjection,
  type Lookup,
  listReplaced,
  lookUp,
  type Zone,
  type ZoneFault,
  ZoneTable,
} from './zone/index.ts'
