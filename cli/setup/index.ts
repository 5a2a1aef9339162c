export { BUNDLE_COMMAND, SERVER_PATHS, SERVER_PORTS, SERVICE_NAME, SERVICE_USER, SETUP_LOCK } from './paths.ts'
export { runActivation, runSetup } from './programs.ts'
export {
  type ActivateResult,
  activateResult,
  type BeginResult,
  beginResult,
  type InstallResult,
  installResult,
  type RemoveResult,
  removeResult,
  type SetupEvent,
  type SetupRequest,
  type SetupRequestOf,
  setupEvent,
  setupRequest,
} from './protocol.ts'
export { UNIT_FILE } from './unit-file.ts'
