export { formatMasterFile, type MasterSet } from './format-master-file.ts'
export {
  MAX_MASTER_FILE_BYTES,
  type MasterFault,
  type MasterFile,
  parseMasterFile,
} from './parse-master-file.ts'
export type { MasterRecord } from './read-record.ts'
