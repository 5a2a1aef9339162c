export type { TransformedFile, TransformJob, TransformOutcome } from './transform-job.ts'
