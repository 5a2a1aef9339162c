export { readBuildKey } from './build-key.ts'
export type { BuildOutcome } from './build-outcome.ts'
export type { BuilderLimits, Built } from './builder-process.ts'
export {
  type BuilderCounts,
  type BuildJob,
  ComponentBuilder,
  type ComponentBuilderOptions,
} from './component-builder.ts'
export {
  buildMeta,
  encodeMeta,
  findMeta,
  GLUE_FILE,
  META_FILE,
  MODULE_FILE,
  type PreparedFiles,
  type PreparedMeta,
  readPreparedFiles,
} from './prepared-files.ts'
