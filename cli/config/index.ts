export {
  checkDaemonConfig,
  DAEMON_CONFIG_FILE,
  type DaemonConfig,
  loadDaemonConfig,
} from './daemon-config.ts'
export { type Finding, formatFinding } from './findings.ts'
export {
  formatListenAddress,
  type ListenAddress,
  parseEndpoint,
  parseListenAddress,
  parseResolver,
} from './listen-address.ts'
export { formatWarnings, loadProject, readPlaceRules } from './load.ts'
export { findNearest } from './nearest.ts'
export {
  defaultDataFolder,
  type Environment,
  findProfilePath,
  formatProfile,
  loadProfile,
  type Machine,
  type Profile,
  writeProfile,
} from './profile.ts'
export type { ComponentConfig, DomainComponents, FunctionConfig, TransformConfig } from './project-components.ts'
export type { DomainConfig, ProjectConfig } from './project-config.ts'
export type { RecordSetConfig } from './project-records.ts'
export { parseToml } from './toml.ts'
export { formatTomlValue } from './toml-format.ts'
export { findProfile, type LockOptions, lockProfile, type ProfileContent, updateProfile } from './update-profile.ts'
export { writeFileAtomically } from './write-file.ts'
