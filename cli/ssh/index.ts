export { connectSsh } from './connect-ssh.ts'
export { formatFingerprint, parseHostKey } from './host-key.ts'
export { KeyRing, type KeyRingOptions } from './key-ring.ts'
export type { LoginOptions } from './login.ts'
export { requirePrivilege } from './privilege.ts'
export { askInTurn, type Questions } from './questions.ts'
export type { SshConnection } from './ssh-connection.ts'
export type {
  Privilege,
  RemoteOutcome,
  RemoteProcess,
  RunOptions,
  SshHost,
  SshTarget,
} from './ssh-host.ts'
export type { Ask, FirstUse, SshOptions } from './ssh-options.ts'
export { formatSshTarget, parseSshTarget } from './target.ts'
