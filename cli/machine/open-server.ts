import type { Host } from '../program/host.ts'
import { connectSsh, parseSshTarget, type SshHost } from '../ssh/index.ts'
import type { ServerMachine } from './choose-machines.ts'

/** Who connects to servers, with what, and who is asked and told on the way. */
export interface ServerAccess {
  readonly host: Host
  /** `--ssh-priv-key`. */
  readonly keyFile: string | undefined
  /** `--key` or `MAKIATTO_KEY`. */
  readonly makiKeyFile: string | undefined
  /** The operator's key of the profile. */
  readonly operatorKeyFile: string | undefined
  readonly onNote: (text: string) => void
}

/** Connects to the server of a machine, whose host key is the pinned one. Throws as `connectSsh`. */
export function openServer(access: ServerAccess, machine: ServerMachine): Promise<SshHost> {
  const { host, keyFile, makiKeyFile, operatorKeyFile, onNote } = access
  const { env, runtime, signal, ask, askSecret } = host
  return connectSsh({
    target: parseSshTarget(machine.sshTarget, machine.port),
    name: machine.name,
    hostKey: machine.hostKey,
    firstUse: 'ask',
    keyFile,
    makiKeyFile,
    operatorKeyFile,
    ask,
    askSecret,
    env,
    runtime,
    signal,
    onNote,
  })
}
