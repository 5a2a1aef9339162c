import { pinHostKey } from '../client/pin-host-key.ts'
import type { Host } from '../program/host.ts'
import { connectSsh, type KeyRing, parseSshTarget, type SshHost } from '../ssh/index.ts'
import type { ServerMachine } from './choose-machines.ts'

/** Who connects to servers, with what, and who is asked and told on the way. */
export interface ServerAccess {
  readonly host: Host
  /** Of the command, which connects in other ways, too. */
  readonly keyRing: KeyRing
  readonly onNote: (text: string) => void
  /** Where a host key is pinned that is not yet. */
  readonly profileFile: string
}

/** Connects to the server of a machine, whose host key is the pinned one, or becomes it. Throws as `connectSsh`. */
export async function openServer(access: ServerAccess, machine: ServerMachine): Promise<SshHost> {
  const { host, keyRing, onNote, profileFile } = access
  const { env, runtime, signal } = host
  const server = await connectSsh({
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
  if (machine.hostKey === undefined) await pinHostKey(machine, server.hostKey, { profileFile, env, runtime, onNote })
  return server
}
