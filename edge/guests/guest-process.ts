import { realpathSync } from 'node:fs'
import { extname, join } from 'node:path'
import type { Cancel, Log, Runtime } from '../../core/index.ts'
import type { PreparedFiles } from '../component-builder/index.ts'
import {
  type ConfinedOptions,
  ConfinedProcess,
  type EndReason,
  explainNoStart,
  type Frame,
  readHeader,
} from '../confined/index.ts'
import type { Ask, GuestInput, GuestOutcome, GuestServices, GuestSpec } from '../guest-contract/index.ts'
import { type BindHead, MOST_GIVEN, type RunHead } from '../guest-host/index.ts'
import { findOutcome } from './read-said.ts'

export interface GuestProcessPorts {
  readonly runtime: Runtime
  readonly log: Log
}

/** One run, as a process is handed it. */
export interface ProcessRun {
  readonly input: GuestInput
  readonly siteTimeMs: number
  readonly services: GuestServices
  readonly timeoutMs: number
}

export type Binding =
  | { readonly kind: 'bound' }
  | { readonly kind: 'unfit'; readonly detail: string }
  | { readonly kind: 'ended' }

const MIB = 1024 * 1024
/** On a machine that is busy; a process starts within a third of a second on one that is not. */
const START_TIMEOUT_MS = 30_000
/** Compiling a whole JavaScript engine takes a tenth of it. */
const BIND_TIMEOUT_MS = 20_000
/** Of Node itself, of a component's code, and of what V8 has not given back yet. */
const BASE_MEMORY_BYTES = 320 * MIB
/** A run may leave its memory to the collector, and the next instance has one already. */
const MEMORIES = 3
const PAGE_BYTES = 65_536
const MAX_TABLE_ELEMENTS = 1_000_000
const MAX_HEADER_BYTES = 512 * 1024
/** Asks that are answered as fast as they come; from then on each waits, so that no guest keeps its owner from others. */
const QUICK_ASKS = 2000
const SLOW_ASK_MS = 1
const THREADS = 4
const OUT_OF_MEMORY: ReadonlySet<string> = new Set(['SIGABRT', 'SIGTRAP', 'SIGILL'])
/**
 * Every memory of an instance counts against the collector, which has to look every fifty runs or so, at little that is alive:
 * doing that at one go and in one thread takes half the processor time that it takes to do it bit by bit beside the guest.
 */
const COLLECTOR_OPTIONS = ['--no-incremental-marking', '--single-threaded-gc']
const HOST_OPTIONS = ['--max-old-space-size=192', '--disallow-code-generation-from-strings', ...COLLECTOR_OPTIONS]
const HERE = realpathSync(import.meta.dirname)
const EXTENSION = extname(import.meta.filename)
const ASKS: ReadonlySet<unknown> = new Set<Ask['ask']>([
  'print',
  'stat',
  'list',
  'read',
  'resolve',
  'tcp-connect',
  'tcp-ends',
  'tcp-read',
  'tcp-write',
  'tcp-shutdown',
  'http-send',
  'http-head',
  'http-read',
  'wait',
  'close',
])

/**
 * A process that runs one component, seen from its owner. It starts without one, so that it can lie ready; it is bound once, and
 * runs one request at a time. After any surprise it is gone.
 */
export class GuestProcess {
  readonly pid: number
  /** Resolves when it has ended. */
  readonly ended: Promise<void>
  /** Runs so far. */
  count = 0
  /** After a run: whether the next one may begin, once its next instance is made. */
  rested: Promise<boolean> = Promise.resolve(true)
  readonly #process: ConfinedProcess
  readonly #runtime: Runtime
  readonly #ready: Promise<boolean>

  /** `maxMemoryBytes` is the most that any guest may have. */
  constructor(maxMemoryBytes: number, { runtime, log }: GuestProcessPorts) {
    this.#runtime = runtime
    this.#process = new ConfinedProcess(describeHost(maxMemoryBytes), runtime)
    this.pid = this.#process.pid
    this.ended = this.#process.ended
    this.#ready = this.#process.next(START_TIMEOUT_MS).then((frame) => {
      const { confinement } = readHeader(frame)
      if (frame === undefined) log.error('guests.process-not-started', explainNoStart(this.#process))
      else log.debug('guests.process-started', { pid: this.pid, confinement })
      return confinement === 'kernel' || confinement === 'runtime'
    })
  }

  get hasEnded(): boolean {
    return this.#process.hasEnded
  }

  /** Why it is gone, or about to be. */
  get why(): EndReason {
    return this.#process.why
  }

  /** Gives it its component, once. Never rejects. */
  async bind(spec: GuestSpec, files: PreparedFiles): Promise<Binding> {
    if (!(await this.#ready)) return { kind: 'ended' }
    this.#process.limitMemory(BASE_MEMORY_BYTES + MEMORIES * spec.maxMemoryBytes)
    const environment = Buffer.from(JSON.stringify(spec.env))
    const bind: BindHead = {
      world: spec.prepared.world,
      limits: {
        maxMemoryPages: Math.floor(spec.maxMemoryBytes / PAGE_BYTES),
        maxTableElements: MAX_TABLE_ELEMENTS,
      },
      environmentBytes: environment.length,
      glueBytes: files.glue.length,
      modules: [...files.modules].map(([name, bytes]) => [name, bytes.length] as const),
    }
    this.#process.send({ tell: 'bind', bind }, Buffer.concat([environment, files.glue, ...files.modules.values()]))
    const frame = await this.#process.next(BIND_TIMEOUT_MS)
    if (frame === undefined) return { kind: 'ended' }
    const { bound, unfit } = readHeader(frame)
    if (bound === true) return { kind: 'bound' }
    const detail =
      typeof unfit === 'string' ? unfit.slice(0, MOST_GIVEN.detailChars) : 'it said nothing that makes sense'
    this.#process.kill('closed')
    return { kind: 'unfit', detail }
  }

  /**
   * Only one at a time, and only once it is bound; `rested` has to be awaited before the next. The services are closed when it is
   * over. Never rejects.
   */
  async run({ input, siteTimeMs, services, timeoutMs }: ProcessRun): Promise<GuestOutcome> {
    const fromMs = this.#runtime.monotonic()
    // Also while an ask is being answered.
    const cancel = this.#runtime.after(timeoutMs, () => this.#process.kill('timeout'))
    let waitedMs = 0
    try {
      this.#process.send(...describeRun(input, siteTimeMs))
      for (let asks = 0; ; asks++) {
        const nowMs = this.#runtime.monotonic()
        const frame = await this.#process.next(Math.max(1, fromMs + timeoutMs - nowMs))
        if (frame === undefined) return this.#explainEnd(this.#runtime.monotonic() - fromMs - waitedMs)
        if (!ASKS.has(readHeader(frame).ask)) {
          const outcome = this.#settle(frame, input, this.#runtime.monotonic() - fromMs)
          if (!this.#process.hasEnded) this.rested = this.#rest(timeoutMs)
          return outcome
        }
        const askedMs = this.#runtime.monotonic()
        await this.#answer(frame, services, asks)
        waitedMs += this.#runtime.monotonic() - askedMs
      }
    } finally {
      cancel()
      services.close()
    }
  }

  /** What a component does where it starts it may do as long as a run; then the process is ended. */
  async #rest(timeoutMs: number): Promise<boolean> {
    const frame = await this.#process.next(timeoutMs)
    if (frame !== undefined && readHeader(frame).rested === true) return true
    this.#process.kill('nonsense')
    return false
  }

  /** Resident memory. */
  memoryBytes(): Promise<number | undefined> {
    return this.#process.memoryBytes()
  }

  /** Ends it at once, whatever it does. */
  close(): Promise<void> {
    return this.#process.close()
  }

  async #answer(frame: Frame, services: GuestServices, asks: number): Promise<void> {
    const ask = frame.header as Ask
    if (asks > QUICK_ASKS) await this.#pause()
    // Whoever does not read answers gets no more of them: they would lie here.
    await this.#process.drained()
    const answer = await Promise.race([this.#tryToAnswer(ask, frame.body, services), this.#process.ended])
    if (ask.ask === 'print' || answer === undefined || this.#process.hasEnded) return
    this.#process.send(answer.header, answer.body)
  }

  /** What an ask holds may be anything: where services come to nothing by it, its process is the one that ends. */
  async #tryToAnswer(ask: Ask, body: Uint8Array, services: GuestServices) {
    try {
      return await services.answer(ask, body)
    } catch {
      this.#process.kill('nonsense')
      return undefined
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      let cancel: Cancel = () => {}
      cancel = this.#runtime.after(SLOW_ASK_MS, () => {
        cancel()
        resolve()
      })
    })
  }

  #settle(frame: Frame, input: GuestInput, elapsedMs: number): GuestOutcome {
    const outcome = findOutcome(frame, input.world)
    if (outcome !== undefined) {
      this.count++
      // Its own word, as far as it can be true; other threads of it may work at the same time.
      return { ...outcome, cpuMs: Math.min(outcome.cpuMs, THREADS * elapsedMs) }
    }
    this.#process.kill('nonsense')
    return this.#explainEnd(elapsedMs)
  }

  /** `cpuMs`: nobody can say any more; it was not waiting for its owner for so long. */
  #explainEnd(cpuMs: number): GuestOutcome {
    const failed = (why: 'timeout' | 'memory' | 'died' | 'closed', detail: string): GuestOutcome => {
      return { kind: 'failed', why, detail, cpuMs: Math.max(0, cpuMs) }
    }
    const { why, signal } = this.#process
    switch (why) {
      case 'timeout':
        return failed('timeout', 'it took longer than it may')
      case 'memory':
        return failed('memory', 'it held more memory than it may')
      case 'closed':
        return failed('closed', 'the server is going away')
      case 'nonsense':
        return failed('died', 'its process said what makes no sense')
      case 'died':
        // As V8 ends a process that gets no more memory, from itself or from the system.
        if (signal !== undefined && OUT_OF_MEMORY.has(signal))
          return failed('memory', 'it used up the memory of its process')
        return failed(
          'died',
          `its process ended${signal === undefined ? '' : ` by ${signal}`}: it broke it, or somebody killed it`,
        )
      default:
        return why satisfies never
    }
  }
}

function describeRun(input: GuestInput, siteTimeMs: number): [header: unknown, body: Uint8Array | undefined] {
  const { context } = input
  if (input.world === 'transform') {
    const { path, mimeType, content } = input.file
    const run: RunHead = { world: 'transform', context, siteTimeMs, file: { path, mimeType } }
    return [{ tell: 'run', run }, content]
  }
  const { method, path, query, headers, body } = input.request
  const request = { method, path, headers, hasBody: body !== undefined, ...(query === undefined ? {} : { query }) }
  const run: RunHead = { world: 'http', context, siteTimeMs, request }
  return [{ tell: 'run', run }, body]
}

function describeHost(maxMemoryBytes: number): ConfinedOptions {
  const edge = join(HERE, '..')
  return {
    main: join(edge, 'guest-host', `host-main${EXTENSION}`),
    arguments: [String(BASE_MEMORY_BYTES + MEMORIES * maxMemoryBytes)],
    readable: [edge, join(edge, '..', 'core')],
    nodeOptions: HOST_OPTIONS,
    maxFrameBytes: MOST_GIVEN.contentBytes + MIB,
    maxHeaderBytes: MAX_HEADER_BYTES,
    maxMemoryBytes: BASE_MEMORY_BYTES,
  }
}
