import { MakiError, type Runtime } from '../../core/index.ts'
import type { Machine, Profile } from '../config/index.ts'
import type { Host } from '../program/host.ts'
import type { KeyRing } from '../ssh/index.ts'
import { ControlClient } from './control-client.ts'
import { dataFolderAt } from './data-folder.ts'
import { pinHostKey } from './pin-host-key.ts'
import { SshLines } from './ssh-lines.ts'

/**
 * Opens the way to a machine's control API, however it leads there. Throws MAKI_UNREACHABLE where there is none; whether
 * a node listens at its end shows with the first request. What it opened is closed with the last client of a machine.
 */
export type Connect = (machine: Machine, signal?: AbortSignal) => Promise<ControlClient>

/** What machines that are reached over SSH want. */
export interface SshAccess {
  readonly host: Pick<Host, 'env' | 'signal' | 'ask' | 'askSecret'>
  /** Whose operator's key is tried, too, and where host keys are pinned. */
  readonly profile: Pick<Profile, 'dataFolder' | 'file'>
  /** `--ssh-priv-key`. */
  readonly keyFile?: string | undefined
  /** `--key` or `MAKIATTO_KEY`. */
  readonly makiKeyFile?: string | undefined
  /** Of a command that connects in other ways, too; else one is made of these. */
  readonly keyRing?: KeyRing | undefined
  /** A sentence that a person should read. */
  readonly onNote: (text: string) => void
}

/**
 * The ways that this version knows: the control socket of a node on this computer, and SSH, with one connection for each
 * machine, however many clients it has.
 */
export function createConnect(
  runtime: Pick<Runtime, 'after' | 'now' | 'monotonic' | 'randomBytes'>,
  ssh?: SshAccess,
): Connect {
  const lines =
    ssh === undefined
      ? undefined
      : new SshLines(runtime, {
          ...ssh,
          operatorKeyFile: dataFolderAt(ssh.profile.dataFolder).keyFile,
          onFirstKey: (machine, hostKey) =>
            pinHostKey(machine, hostKey, {
              profileFile: ssh.profile.file,
              env: ssh.host.env,
              runtime,
              onNote: ssh.onNote,
            }),
        })
  return async (machine, signal) => {
    const { name, control, sshTarget } = machine
    if (control !== undefined) return new ControlClient({ socketPath: control, name, runtime })
    if (lines === undefined || sshTarget === undefined)
      throw new MakiError('MAKI_UNREACHABLE', `${name} cannot be reached: no way leads there from here`, {
        hint: 'The profile names it with ssh_target or control.',
      })
    const { host, release } = await lines.take({ ...machine, sshTarget }, signal)
    return new ControlClient({ open: () => host.openControl(), onDispose: release, name, runtime })
  }
}
