import { MakiError, type Runtime } from '../../core/index.ts'
import type { Machine } from '../config/index.ts'
import { ControlClient } from './control-client.ts'

/**
 * Opens the way to a machine's control API, however it leads there. Throws MAKI_UNREACHABLE where there is none; whether
 * a node listens at its end shows with the first request.
 */
export type Connect = (machine: Machine) => Promise<ControlClient>

/** The ways that this version knows: the control socket of a node on this computer. */
export function createConnect(runtime: Pick<Runtime, 'after' | 'now'>): Connect {
  return async (machine) => {
    if (machine.control !== undefined)
      return new ControlClient({ socketPath: machine.control, name: machine.name, runtime })
    throw new MakiError(
      'MAKI_UNREACHABLE',
      `${machine.name} cannot be reached: it is reached over SSH (${machine.sshTarget}), which comes with a later version`,
      {
        hint: 'Run the command on a computer that has a node, or make one with: maki dev',
      },
    )
  }
}
