import { asMakiError, type Runtime } from '../../core/index.ts'
import { type Environment, type Machine, updateProfile } from '../config/index.ts'

/** Nobody waits for a pin: the next command writes it. */
const WAIT_MS = 2_000

/** Where a pin is written, and who is told of it. */
export interface PinOptions {
  readonly profileFile: string
  readonly env: Environment
  readonly runtime: Pick<Runtime, 'after' | 'monotonic' | 'randomBytes'>
  readonly onNote: (text: string) => void
}

/**
 * Writes the host key that a machine proved to the profile, where that has none for it; tells of it, and of the line to write
 * where the profile cannot be written. Never rejects.
 */
export async function pinHostKey(
  { name, sshTarget, port }: Pick<Machine, 'name' | 'sshTarget' | 'port'>,
  hostKey: string,
  { profileFile, env, runtime, onNote }: PinOptions,
): Promise<void> {
  const line = `host_key = "${hostKey}"`
  try {
    let isPinned = false
    await updateProfile(
      profileFile,
      env,
      runtime,
      (profile) => {
        // As it stands now: somebody may have moved the machine, or pinned a key, meanwhile.
        const machine = profile?.machines.find((one) => one.name === name)
        const isSame = machine?.sshTarget === sshTarget && machine?.port === port
        if (profile === undefined || machine === undefined || !isSame || machine.hostKey !== undefined) return undefined
        isPinned = true
        return { ...profile, machines: profile.machines.map((one) => (one === machine ? { ...one, hostKey } : one)) }
      },
      { waitMs: WAIT_MS },
    )
    if (isPinned) onNote(`The profile has the host key of ${name} from now on: ${line}`)
  } catch (thrown) {
    onNote(`The host key of ${name} could not be written to the profile (${asMakiError(thrown).message}): ${line}`)
  }
}
