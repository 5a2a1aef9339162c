import type { Host } from '../program/host.ts'
import { connectSsh, type KeyRing, parseSshTarget, type SshHost } from '../ssh/index.ts'
import type { ServerMachine } from './choose-machines.ts'

/** Who connects to servers, with what, and who is asked and told on the way. */
export interface ServerAccess {
  readonly host: Host
  /** Of the command, which connects in other ways, too. */
  readonly keyRing: KeyRing
  readonly onNote: (text: string) => void
}

/** Connects to the server of a machine, whose host key is the pinned one. Throws as `connectSsh`. */
export function openServer(access: ServerAccess, machine: ServerMachine): Promise<SshHost> {
  const { host, keyRing, onNote } = access
  const { env, runtime, signal } = host
  return connectSsh({
    target: parseSshTarget(machine.sshTarget, machine.port),
    name: machine.name,
    hostKey: machine.hostKey,
    firstUse: 'ask',
    keyRing,
    env,
    runtime,
    signal,
    onNote,
  })
}
