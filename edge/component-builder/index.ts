export {
  buildMeta,
  encodeMeta,
  GLUE_FILE,
  META_FILE,
  MODULE_FILE,
  type PreparedFiles,
  type PreparedMeta,
  readPreparedFiles,
} from './prepared-files.ts'
