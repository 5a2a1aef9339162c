import { asMakiError, MakiError, type Runtime } from '../../core/index.ts'
import type { KeptLine, LogFilter } from '../../edge/index.ts'
import type { Machine, Profile } from '../config/index.ts'
import type { Connect } from './connect.ts'
import type { ControlClient } from './control-client.ts'

/** A line of the log of a node. */
export interface NodeLine extends KeptLine {
  /** The machine's name in the profile. */
  readonly node: string
}

export interface LogsOptions {
  readonly profile: Pick<Profile, 'cluster'>
  readonly machines: readonly Machine[]
  readonly connect: Connect
  readonly filter: LogFilter
  readonly signal: AbortSignal
}

/** A node that is up says who it is in a moment. */
const PROBE_MS = 5_000
/** A node that went is asked again after so long. */
const RETRY_MS = 2_000

/** What all nodes keep, in the order of time, and why some did not say. */
export async function readLogs(options: LogsOptions): Promise<{
  readonly lines: readonly NodeLine[]
  readonly faults: readonly MakiError[]
  /** Whom the faults are of. */
  readonly silent: readonly Machine[]
}> {
  const { machines, filter, signal } = options
  const faults: MakiError[] = []
  const silent: Machine[] = []
  const all = await Promise.all(
    machines.map(async (machine): Promise<readonly NodeLine[]> => {
      try {
        using control = await reach(options, machine)
        return (await control.logs(filter, signal)).map((line) => ({ ...line, node: machine.name }))
      } catch (thrown) {
        signal.throwIfAborted()
        faults.push(asMakiError(thrown))
        silent.push(machine)
        return []
      }
    }),
  )
  return { lines: all.flat().sort((a, b) => timeOf(a) - timeOf(b)), faults, silent }
}

export interface FollowOptions extends LogsOptions {
  readonly runtime: Pick<Runtime, 'after'>
  /** The last cursor of each node that was read already. */
  readonly after: ReadonlyMap<string, string>
  readonly onLine: (line: NodeLine) => void
  /** A node went, or was not there; it is asked again. Told once until it is back. */
  readonly onFault: (error: MakiError) => void
}

/** Tells of every line that comes, of all nodes, until the signal is aborted. A node that comes back is followed again. */
export async function followLogs(options: FollowOptions): Promise<void> {
  await Promise.all(options.machines.map((machine) => followNode(options, machine)))
}

async function followNode(options: FollowOptions, machine: Machine): Promise<void> {
  const { filter, signal, runtime, onLine, onFault } = options
  let after = options.after.get(machine.name)
  let isLost = false
  while (!signal.aborted) {
    try {
      using control = await reach(options, machine)
      const stream = await control.followLogs({ ...filter, after }, signal)
      isLost = false
      for await (const line of stream) {
        after = line.cursor
        onLine({ ...line, node: machine.name })
      }
      throw new MakiError('MAKI_UNREACHABLE', `${machine.name} ended; it is asked again`)
    } catch (thrown) {
      if (signal.aborted) return
      if (!isLost) onFault(asMakiError(thrown))
      isLost = true
    }
    await pause(RETRY_MS, runtime, signal)
  }
}

async function reach({ profile, connect, signal }: LogsOptions, machine: Machine): Promise<ControlClient> {
  const control = await connect(machine)
  try {
    const { cluster } = await control.status({ signal, answerMs: PROBE_MS })
    if (cluster.id === profile.cluster) return control
    throw new MakiError('MAKI_UNREACHABLE', `${machine.name} belongs to another cluster (${cluster.id})`)
  } catch (thrown) {
    control[Symbol.dispose]()
    throw thrown
  }
}

const timeOf = ({ line }: NodeLine): number => {
  const time = typeof line.time === 'string' ? Date.parse(line.time) : Number.NaN
  return Number.isNaN(time) ? 0 : time
}

function pause(delayMs: number, runtime: Pick<Runtime, 'after'>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = runtime.after(delayMs, done)
    signal.addEventListener('abort', done)
  })
}
