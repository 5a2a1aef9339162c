export { type Glob, parseGlob } from './glob.ts'
export { SiteTransforms, type TransformedRelease } from './site-transforms.ts'
export type { TransformedFile, TransformJob, TransformOutcome, Transforms } from './transform-job.ts'
