export type {
  Privilege,
  RemoteOutcome,
  RemoteProcess,
  RunOptions,
  SshHost,
  SshTarget,
} from './ssh-host.ts'
