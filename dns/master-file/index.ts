export { formatMasterFile, type MasterSet } from './format-master-file.ts'
export {
  MAX_MASTER_FILE_BYTES,
  type MasterFault,
  type MasterFile,
  type MasterFileOptions,
  parseMasterFile,
} from './parse-master-file.ts'
export type { MasterRecord, SetAside } from './read-record.ts'
