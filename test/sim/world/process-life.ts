import type { Cancel, Log, Runtime } from '../../../core/index.ts'
import type { Random } from '../../support/seeds.ts'
import type { Disk } from './disk.ts'
import { type Scheduler, START_MS } from './scheduler.ts'

/** A machine's clock, which may be wrong: true time, drifted and shifted. */
export class Clock {
  /** Added to true time, milliseconds. */
  offsetMs = 0
  /** How much faster than true time it runs; 0.001 gains a millisecond a second. */
  #drift = 0
  #sinceMs = 0

  read(trueMs: number): number {
    return Math.floor(START_MS + trueMs + this.offsetMs + (trueMs - this.#sinceMs) * this.#drift)
  }

  setDrift(drift: number, trueMs: number): void {
    this.offsetMs += (trueMs - this.#sinceMs) * this.#drift
    this.#sinceMs = trueMs
    this.#drift = drift
  }

  /** Shows true time again, from now on. */
  correct(trueMs: number): void {
    this.setDrift(0, trueMs)
    this.offsetMs = 0
  }
}

/** What the simulator's files are found under; nothing real can lie there. */
export const VIRTUAL_ROOT = '/proc/simulated'

/** Processes by the first part of their paths. */
const processes = new Map<string, ProcessLife>()

/** Whose path this is, with the path on its disk; undefined for a real path. */
export function findProcess(path: string): { life: ProcessLife; path: string } | undefined {
  if (!path.startsWith(`${VIRTUAL_ROOT}/`)) return undefined
  const rest = path.slice(VIRTUAL_ROOT.length + 1)
  const slash = rest.indexOf('/')
  const life = processes.get(slash === -1 ? rest : rest.slice(0, slash))
  if (life === undefined) throw new Error(`no process has ${path}`)
  return { life, path: slash === -1 ? '' : rest.slice(slash) }
}

/** Forgets all processes, when a run is over. */
export function forgetProcesses(): void {
  processes.clear()
}

/**
 * One process on a machine, with everything through which the world reaches it. Once it is killed none of that calls it
 * again: what waited for a timer or a disk waits for ever.
 */
export class ProcessLife {
  readonly name: string
  readonly disk: Disk
  readonly scheduler: Scheduler
  readonly runtime: Runtime
  readonly #ends: (() => void)[] = []
  #alive = true

  constructor(name: string, disk: Disk, clock: Clock, scheduler: Scheduler, random: Random) {
    this.name = name
    this.disk = disk
    this.scheduler = scheduler
    processes.set(name, this)
    this.runtime = {
      now: () => clock.read(scheduler.nowMs),
      monotonic: () => scheduler.nowMs,
      random: () => random.next(),
      randomBytes: (length) => random.bytes(length),
      after: (delayMs, call) => this.after(delayMs, call),
    }
  }

  get alive(): boolean {
    return this.#alive
  }

  /** Where its files lie, as it names them. */
  get root(): string {
    return `${VIRTUAL_ROOT}/${this.name}`
  }

  after(delayMs: number, call: () => void): Cancel {
    return this.scheduler.after(delayMs, () => {
      if (this.#alive) call()
    })
  }

  /** Calls when the process ends, however it does. */
  onEnd(call: () => void): void {
    this.#ends.push(call)
  }

  kill(): void {
    if (!this.#alive) return
    this.#alive = false
    for (const end of this.#ends) end()
  }

  /** A log of the process: what it says is part of the trace. */
  log(hear: (level: string, event: string, data: Record<string, unknown>) => void): Log {
    const at =
      (level: string) =>
      (event: string, data: Record<string, unknown> = {}): void => {
        if (this.#alive) hear(level, event, data)
      }
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  }
}
