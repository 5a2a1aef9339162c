import { statfs } from 'node:fs/promises'
import { availableParallelism, loadavg, totalmem } from 'node:os'
import type { Cancel, Log, Runtime } from '../../core/index.ts'

/** How a node's computer is. `memory` and `disk`: fractions that are used. `load`: of five minutes, for each processor. */
export interface HostLoad {
  readonly memory: number
  readonly disk: number
  readonly load: number
}

const LOOK_MS = 30_000
/** What is said goes in these steps: each word travels to every node. */
const STEPS = 20

/** Looks at memory, disk and load once in a while. */
export class HostWatch implements AsyncDisposable {
  readonly #options: {
    readonly folder: string
    readonly runtime: Pick<Runtime, 'after'>
    readonly log: Log
    readonly changed: () => void
  }
  #load: HostLoad | null = null
  #cancel: Cancel = () => {}
  #looking = Promise.resolve()
  #isClosed = false

  private constructor(options: { folder: string; runtime: Pick<Runtime, 'after'>; log: Log; changed: () => void }) {
    this.#options = options
  }

  /** `folder` lies on the disk that is watched. Resolves after the first look. */
  static async start(options: {
    readonly folder: string
    readonly runtime: Pick<Runtime, 'after'>
    readonly log: Log
    readonly changed: () => void
  }): Promise<HostWatch> {
    const watch = new HostWatch(options)
    await watch.#look()
    return watch
  }

  /** Null while it could not be found out. */
  get load(): HostLoad | null {
    return this.#load
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    this.#cancel()
    await this.#looking
  }

  async #look(): Promise<void> {
    const { folder, runtime, log, changed } = this.#options
    try {
      const next = settleLoad(this.#load, await readHostLoad(folder))
      const isNew = next !== this.#load
      this.#load = next
      if (isNew && !this.#isClosed) changed()
    } catch (error) {
      log.warn('host.unknown', { error })
    }
    if (this.#isClosed) return
    this.#cancel = runtime.after(LOOK_MS, () => {
      this.#looking = this.#look()
    })
  }
}

/** Measures now. What runs in a container is told of the container's memory. */
async function readHostLoad(folder: string): Promise<HostLoad> {
  const { blocks, bavail } = await statfs(folder)
  const total = process.constrainedMemory() > 0 ? Math.min(process.constrainedMemory(), totalmem()) : totalmem()
  return {
    memory: clamp(1 - process.availableMemory() / total),
    // As `df` counts: what only root may fill is not free.
    disk: blocks === 0 ? 0 : clamp(1 - bavail / blocks),
    load: (loadavg()[1] ?? 0) / availableParallelism(),
  }
}

/** `said` as long as nothing is more than one step away from it; so that what trembles on an edge says nothing new. */
export function settleLoad(said: HostLoad | null, now: HostLoad): HostLoad {
  const rounded = { memory: round(now.memory), disk: round(now.disk), load: round(now.load) }
  if (said === null) return rounded
  const isClose = (['memory', 'disk', 'load'] as const).every((name) => Math.abs(now[name] - said[name]) <= 1 / STEPS)
  return isClose ? said : rounded
}

const round = (value: number): number => Math.round(value * STEPS) / STEPS
const clamp = (value: number): number => Math.min(1, Math.max(0, value))
