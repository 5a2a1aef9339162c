export { type Glob, parseGlob } from './glob.ts'
export { SiteTransforms, type TransformedRelease } from './site-transforms.ts'
export type { TransformCounters } from './transform-counters.ts'
export { resultPath } from './transform-folder.ts'
export type { TransformedFile, TransformJob, TransformOutcome, TransformResults, Transforms } from './transform-job.ts'
export {
  type TransformLimits,
  type TransformPorts,
  TransformService,
  type TransformServiceOptions,
} from './transform-service.ts'
export { TransformedBlobs } from './transformed-blobs.ts'
