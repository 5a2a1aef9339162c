import { realpathSync } from 'node:fs'
import { extname, join } from 'node:path'
import type { Log, Runtime } from '../../core/index.ts'
import { type ConfinedOptions, ConfinedProcess, type EndReason, explainNoStart, readHeader } from '../confined/index.ts'
import { generatorFolder } from './build-key.ts'
import { type BuildOutcome, findOutcome } from './build-outcome.ts'

export interface BuilderLimits {
  readonly maxComponentBytes: number
  /** Of all files that come of one. */
  readonly maxOutputBytes: number
  /** How long one may take. */
  readonly timeoutMs: number
  /** A process that holds more memory is killed. */
  readonly maxMemoryBytes: number
}

/** `ended`: there is no result and the process is gone; `not-started`: before it saw the first byte of the component. */
export type Built = BuildOutcome | { readonly kind: 'ended'; readonly why: EndReason | 'not-started' }

/** On a machine that is busy; it starts within a third of a second on one that is not. */
const START_TIMEOUT_MS = 30_000
/** An outcome's list of names, beside its files. */
const OVERHEAD_BYTES = 1024 * 1024
const HERE = realpathSync(import.meta.dirname)
const EXTENSION = extname(import.meta.filename)

/** One process that makes one component ready, seen from its owner. It can be started before the component's bytes are there. */
export class BuilderProcess {
  readonly pid: number
  readonly #process: ConfinedProcess
  readonly #timeoutMs: number
  readonly #ready: Promise<boolean>

  constructor(limits: BuilderLimits, ports: { readonly runtime: Runtime; readonly log: Log }, main?: string) {
    this.#process = new ConfinedProcess(describeBuilder(limits, main), ports.runtime)
    this.#timeoutMs = limits.timeoutMs
    this.pid = this.#process.pid
    this.#ready = this.#process.next(START_TIMEOUT_MS).then((frame) => {
      const { confinement } = readHeader(frame)
      if (frame === undefined) ports.log.error('components.builder-not-started', explainNoStart(this.#process))
      else ports.log.debug('components.builder-started', { pid: this.pid, confinement })
      return confinement === 'kernel' || confinement === 'runtime'
    })
  }

  /** Once. Never rejects; the process is gone afterwards. */
  async build(component: Uint8Array): Promise<Built> {
    try {
      if (!(await this.#ready)) {
        const isClosed = this.#process.why === 'closed'
        return { kind: 'ended', why: isClosed ? 'closed' : 'not-started' }
      }
      this.#process.send({ build: true }, component)
      const frame = await this.#process.next(this.#timeoutMs)
      if (frame === undefined) return { kind: 'ended', why: this.#process.why }
      const outcome = readHeader(frame).outcome === true ? findOutcome(Buffer.from(frame.body)) : undefined
      return outcome ?? { kind: 'ended', why: 'nonsense' }
    } finally {
      await this.close()
    }
  }

  /** Ends it at once, whatever it does. */
  close(): Promise<void> {
    return this.#process.close()
  }
}

/** The process of a builder or, for tests, `main` in its place and under the same rules. */
export function describeBuilder(
  { maxComponentBytes, maxOutputBytes, maxMemoryBytes }: BuilderLimits,
  main: string = join(HERE, `builder-main${EXTENSION}`),
): ConfinedOptions {
  return {
    main,
    arguments: [maxComponentBytes, maxOutputBytes, maxMemoryBytes].map(String),
    readable: [join(HERE, '..'), join(HERE, '..', '..', 'core'), generatorFolder()],
    nodeOptions: ['--experimental-vm-modules'],
    maxFrameBytes: maxOutputBytes + OVERHEAD_BYTES,
    maxMemoryBytes,
  }
}
