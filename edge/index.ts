export * from './acme/index.ts'
export * from './component-builder/index.ts'
export * from './components/index.ts'
export * from './control/index.ts'
export * from './functions/index.ts'
export * from './guests/index.ts'
export {
  type ImageCounters,
  type ImageJob,
  type ImageOutcome,
  ImageService,
  type ImageServiceOptions,
} from './images/index.ts'
export { CODINGS, type Coding, checkOf, checkOfPieces, isFingerprinted, mayBeFingerprinted } from './message/index.ts'
export { type Outgoing, type OutgoingCounters, openOutgoing } from './outgoing/index.ts'
export {
  type Client,
  type HostFallback,
  type Learnt,
  mayBeEncoded,
  type Need,
  type OtherAsset,
  type Plan,
  type PlanBody,
  respond,
  type SiteRequest,
  type Variant,
} from './respond/index.ts'
export {
  MAX_RULE_FILE_BYTES,
  type RuleFinding,
  reviewRules,
  SiteRules,
} from './rules/index.ts'
export {
  type AccessLogOptions,
  DURATION_BOUNDS_S,
  type Histogram,
  type HttpCounters,
  type HttpServer,
  type HttpServerOptions,
  hashPassword,
  METHODS,
  OTHER_DOMAIN,
  PROTOCOLS,
  placeOf,
  type RequestCounts,
  SALT_BYTES,
  SIZE_BOUNDS_BYTES,
  STATUS_CLASSES,
  startHttpServer,
} from './server/index.ts'
export {
  findLocalDomain,
  HttpChallenges,
  type LoadableRelease,
  loadSiteRelease,
  readRules,
  resolvePath,
  type Site,
  SiteProjection,
  type SiteRelease,
  SiteTable,
} from './site/index.ts'
export { CertificateStore, type HostCertificate } from './tls/index.ts'
export {
  parseGlob,
  resultPath,
  SiteTransforms,
  type TransformCounters,
  TransformedBlobs,
  type TransformedFile,
  type TransformJob,
  type TransformOutcome,
  type TransformResults,
  TransformService,
  type TransformServiceOptions,
  type Transforms,
} from './transforms/index.ts'
export { listenError } from './transport/index.ts'
export * from './variants/index.ts'
