import { asMakiError, MakiError, type Runtime } from '../../core/index.ts'
import type { ClusterStatus } from '../../edge/index.ts'
import { findNearest, type Machine, type Profile } from '../config/index.ts'
import type { Connect } from './connect.ts'
import type { ControlClient } from './control-client.ts'

/** A machine that answered. */
export interface Reached {
  readonly machine: Machine
  readonly control: ControlClient
  readonly status: ClusterStatus
}

export interface MachineFinderOptions {
  readonly profile: Pick<Profile, 'file' | 'machines' | 'cluster'>
  readonly connect: Connect
  /** The machine to ask first. */
  readonly node: string | undefined
  /** Asks none. */
  readonly offline: boolean
  readonly signal: AbortSignal
  readonly runtime: Pick<Runtime, 'after'>
  /** Told in a sentence of a machine that stopped answering, when another one is asked in its place. */
  readonly onLost?: ((text: string) => void) | undefined
}

/** A node that is up says who it is in a moment; one that takes longer is wedged, and another is asked. */
const PROBE_MS = 5_000
/** A machine that is off costs so much, and not all the time that it may take to answer: the next is asked beside it. */
const HEAD_START_MS = 1_500

/** Finds the first machine of a profile that answers, once, and remembers why others did not. */
export class MachineFinder implements AsyncDisposable {
  readonly #options: MachineFinderOptions
  readonly #faults: MakiError[] = []
  /** Machines that answered, and stopped. */
  readonly #lost = new Set<string>()
  #reaching: Promise<Reached | undefined> | undefined

  /** Throws MAKI_USAGE when the profile has no machine of the name that is to be asked first. */
  constructor(options: MachineFinderOptions) {
    checkNode(options)
    this.#options = options
  }

  /** Why machines were not reached so far. */
  get faults(): readonly MakiError[] {
    return this.#faults
  }

  /** Undefined when none answers, and offline. */
  reach(): Promise<Reached | undefined> {
    this.#reaching ??= this.#reach()
    return this.#reaching
  }

  /** As `reach`, but throws MAKI_UNREACHABLE with every machine's reason. */
  async require(): Promise<Reached> {
    const reached = await this.reach()
    if (reached !== undefined) return reached
    throw this.explain()
  }

  /** The machine that was reached is gone; no other is asked, since it may hold half of what this command does. */
  async lose(error: MakiError): Promise<void> {
    const reached = await this.#reaching
    reached?.control[Symbol.dispose]()
    this.#faults.push(error)
    this.#reaching = Promise.resolve(undefined)
  }

  /**
   * Does what hands nothing over with the first machine that does not stop answering in the middle of it: then it is done again
   * with another. Throws what the work throws where none is left, or where it is no silence.
   */
  async persist<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work()
      } catch (thrown) {
        const error = asMakiError(thrown)
        const lost = (await this.#reaching)?.machine.name
        const { signal, profile, onLost } = this.#options
        if (signal.aborted || error.exitCode !== 3 || lost === undefined) throw thrown
        this.#lost.add(lost)
        if (this.#lost.size === profile.machines.length) throw thrown
        onLost?.(`${error.message}; another node is asked`)
        await this.lose(error)
        this.#reaching = undefined
      }
    }
  }

  /** Why no machine is reached, and what to do. */
  explain(): MakiError {
    const { offline, profile } = this.#options
    if (offline) {
      return new MakiError('MAKI_UNREACHABLE', 'no node is asked with --offline', { hint: 'Leave --offline out.' })
    }
    if (profile.machines.length === 0) {
      return new MakiError('MAKI_UNREACHABLE', `the profile ${profile.file} lists no node`, {
        hint: 'Start a cluster on this computer with: maki dev\nor set up a server with: maki machine init NAME USER@HOST',
      })
    }
    const reasons = this.#faults.map((error) => error.message)
    const message = reasons.length === 1 ? reasons.join() : `no node can be reached:\n  ${reasons.join('\n  ')}`
    const hint = this.#faults.find((error) => error.hint !== undefined)?.hint
    return new MakiError('MAKI_UNREACHABLE', message, {
      hint: hint ?? 'Check that the nodes run; with --offline changes are made here and wait.',
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const reached = await this.#reaching?.catch(() => undefined)
    reached?.control[Symbol.dispose]()
  }

  async #reach(): Promise<Reached | undefined> {
    const { offline, node, profile, signal } = this.#options
    if (offline) return undefined
    const left = profile.machines.filter(({ name }) => !this.#lost.has(name))
    const machines = left.sort((a, b) => Number(b.name === node) - Number(a.name === node))
    const faults: (MakiError | undefined)[] = machines.map(() => undefined)
    const ending = new AbortController()
    const { promise, resolve, reject } = Promise.withResolvers<Reached | undefined>()
    const timers: (() => void)[] = []
    let next = 0
    let running = 0
    let isWon = false
    const win = (reached: Reached): void => {
      // Another one answered at the same moment.
      if (isWon) reached.control[Symbol.dispose]()
      isWon = true
      resolve(reached)
    }
    const tryNext = (): void => {
      const at = next++
      const machine = machines[at]
      if (machine === undefined) {
        if (running === 0) resolve(undefined)
        return
      }
      running++
      timers.push(
        this.#options.runtime.after(HEAD_START_MS, () => {
          if (next === at + 1 && at + 1 < machines.length) tryNext()
        }),
      )
      this.#ask(machine, AbortSignal.any([signal, ending.signal])).then(win, (thrown: unknown) => {
        running--
        if (signal.aborted) return reject(thrown)
        if (ending.signal.aborted) return
        faults[at] = asMakiError(thrown)
        tryNext()
      })
    }
    tryNext()
    try {
      return await promise
    } finally {
      for (const cancel of timers) cancel()
      // Whoever answers later is not waited for.
      ending.abort()
      this.#faults.push(...faults.filter((fault) => fault !== undefined))
    }
  }

  async #ask(machine: Machine, signal: AbortSignal): Promise<Reached> {
    const { connect, profile } = this.#options
    const control = await connect(machine, signal)
    try {
      const status = await control.status({ signal, answerMs: PROBE_MS })
      signal.throwIfAborted()
      if (status.cluster.id === profile.cluster) return { machine, control, status }
      throw new MakiError('MAKI_UNREACHABLE', `${machine.name} belongs to another cluster (${status.cluster.id})`)
    } catch (thrown) {
      control[Symbol.dispose]()
      throw thrown
    }
  }
}

function checkNode({ node, profile }: MachineFinderOptions): void {
  if (node === undefined || profile.machines.some(({ name }) => name === node)) return
  const names = profile.machines.map(({ name }) => String(name))
  const nearest = findNearest(node, names)
  throw new MakiError('MAKI_USAGE', `the profile ${profile.file} has no node ${JSON.stringify(node)}`, {
    hint:
      nearest !== undefined ? `--node ${nearest}` : names.length > 0 ? `It has ${names.join(', ')}.` : 'It lists none.',
  })
}
