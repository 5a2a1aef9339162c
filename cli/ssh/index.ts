export { connectSsh } from './connect-ssh.ts'
export { requirePrivilege } from './privilege.ts'
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
