import type { BlobHash, Log, Runtime } from '../../core/index.ts'
import type { ComponentFault } from '../components/index.ts'
import { type BuilderLimits, BuilderProcess, type Built } from './builder-process.ts'

export interface ComponentBuilderOptions {
  readonly limits: BuilderLimits
  /** Components that are made ready at once. */
  readonly processes: number
  /** In the place of the program that does it, for tests. */
  readonly main?: string | undefined
}

/** Since the start; `seconds` is the time from a process's start to its result. */
export interface BuilderCounts {
  started: number
  seconds: number
}

/** A component that is to be made ready; `read` is called when its turn has come. */
export interface BuildJob {
  readonly component: BlobHash
  readonly sizeBytes: number
  readonly read: () => Promise<Uint8Array>
}

interface Waiting {
  readonly component: BlobHash
  readonly read: () => Promise<Uint8Array>
  readonly resolve: (built: Built) => void
  readonly reject: (error: unknown) => void
}

/** Makes components ready in processes of their own, few at a time, in the order in which they came, unless somebody is in a hurry. */
export class ComponentBuilder implements AsyncDisposable {
  readonly counts: BuilderCounts = { started: 0, seconds: 0 }
  readonly #options: ComponentBuilderOptions
  readonly #ports: { readonly runtime: Runtime; readonly log: Log }
  readonly #waiting: Waiting[] = []
  readonly #running = new Set<BuilderProcess>()
  #busy = 0
  #isClosed = false

  constructor(options: ComponentBuilderOptions, ports: { readonly runtime: Runtime; readonly log: Log }) {
    this.#options = options
    this.#ports = ports
  }

  /** Process ids of the builders that run. */
  get pids(): number[] {
    return [...this.#running].map(({ pid }) => pid)
  }

  /** Resolves with what became of it, and rejects only with what `read` throws. */
  build({ component, sizeBytes, read }: BuildJob): Promise<Built> {
    const { maxComponentBytes } = this.#options.limits
    // Never read into memory.
    if (sizeBytes > maxComponentBytes) return Promise.resolve({ kind: 'unfit', fault: tooLarge(maxComponentBytes) })
    if (this.#isClosed) return Promise.resolve({ kind: 'ended', why: 'closed' })
    return new Promise((resolve, reject) => {
      this.#waiting.push({ component, read, resolve, reject })
      this.#next()
    })
  }

  /** Somebody waits for this one: it comes before all others that wait. */
  hurry(component: BlobHash): void {
    const at = this.#waiting.findIndex((job) => job.component === component)
    if (at > 0) this.#waiting.unshift(...this.#waiting.splice(at, 1))
  }

  /** Ends all processes; what waits ends with them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    for (const { resolve } of this.#waiting.splice(0)) resolve({ kind: 'ended', why: 'closed' })
    await Promise.all([...this.#running].map((process) => process.close()))
  }

  #next(): void {
    if (this.#busy >= this.#options.processes) return
    const first = this.#waiting.shift()
    if (first === undefined) return
    this.#busy++
    void this.#work(first).finally(() => {
      this.#busy--
      this.#next()
    })
  }

  async #work({ read, resolve, reject }: Waiting): Promise<void> {
    try {
      const built = await this.#try(read)
      // Somebody else may have ended it: the component gets a second chance, unless it was the reason.
      const mayBeOthers = built.kind === 'ended' && (built.why === 'died' || built.why === 'not-started')
      resolve(mayBeOthers ? await this.#try(read) : built)
    } catch (error) {
      reject(error)
    }
  }

  async #try(read: () => Promise<Uint8Array>): Promise<Built> {
    if (this.#isClosed) return { kind: 'ended', why: 'closed' }
    const { runtime } = this.#ports
    const startedMs = runtime.monotonic()
    const process = this.#startOrNone()
    if (process === undefined) return { kind: 'ended', why: 'not-started' }
    this.#running.add(process)
    try {
      // While the process starts.
      return await process.build(await read())
    } finally {
      await process.close()
      this.#running.delete(process)
      this.counts.seconds += (runtime.monotonic() - startedMs) / 1000
    }
  }

  /** Undefined where the system gives no more processes or files: that is no fault of the component. */
  #startOrNone(): BuilderProcess | undefined {
    try {
      const process = new BuilderProcess(this.#options.limits, this.#ports, this.#options.main)
      this.counts.started++
      return process
    } catch (error) {
      this.#ports.log.error('components.builder-not-started', { error })
      return undefined
    }
  }
}

const tooLarge = (mostBytes: number): ComponentFault => ({
  code: 'too-large',
  message: `The component is larger than ${Math.floor(mostBytes / 1024 / 1024)} MiB.`,
  hint: 'Build it for release, with optimisation for size, and without what is for debugging.',
})
