import { createHash } from 'node:crypto'
import {
  type BlobHash,
  type BlobReader,
  type FunctionValue,
  type Hostname,
  type Log,
  MakiError,
  type Runtime,
  type Sealed,
  type TransformValue,
} from '../../core/index.ts'
import { type PreparedFiles, readPreparedFiles } from '../component-builder/index.ts'
import type { ComponentFault } from '../components/index.ts'
import type {
  GuestOutcome,
  GuestRun,
  GuestRunner,
  GuestServices,
  GuestSpec,
  NetworkServices,
  NodeContext,
  PreparedComponent,
} from '../guest-contract/index.ts'
import { type GuestCounts, GuestPool, type GuestPoolOptions } from './guest-pool.ts'
import { GuestPrinter } from './guest-printer.ts'
import { createSiteServices } from './site-services.ts'

/** What guests of a node may have where their release says nothing, and at most. */
export interface GuestLimits {
  readonly defaultTimeoutMs: number
  readonly maxTimeoutMs: number
  readonly defaultMemoryBytes: number
  readonly maxMemoryBytes: number
}

export interface GuestsOptions {
  readonly limits: GuestLimits
  readonly pool: Omit<GuestPoolOptions, 'maxMemoryBytes'>
}

export interface GuestsPorts {
  readonly blobs: BlobReader
  /** Where a component lies ready, or why it never will; undefined: not now. */
  readonly prepare: (
    component: BlobHash,
  ) => Promise<{ readonly prepared: PreparedComponent } | { readonly fault: ComponentFault } | undefined>
  /** The values of an environment in clear; undefined: not now. */
  readonly openEnvironment: (
    domain: Hostname,
    path: string,
    env: Readonly<Record<string, Sealed>>,
  ) => Promise<Readonly<Record<string, string>> | undefined>
  /** The network of one run; without it guests have none. */
  readonly openNetwork?: ((who: { readonly domain: Hostname; readonly name: string }) => NetworkServices) | undefined
  readonly context: () => NodeContext
  readonly runtime: Runtime
  readonly log: Log
}

type Component = FunctionValue | TransformValue
type Found = { readonly spec: GuestSpec } | { readonly outcome: GuestOutcome }

/** Guests whose place and environment are remembered, so that a control process that is gone stops none that ran before. */
const MAX_KNOWN = 2000

/** Runs the guests of one worker. */
export class Guests implements GuestRunner, AsyncDisposable {
  readonly #options: GuestsOptions
  readonly #ports: GuestsPorts
  readonly #pool: GuestPool
  readonly #printer: GuestPrinter
  /** The last used comes last. */
  readonly #known = new Map<string, Promise<Found>>()

  constructor(options: GuestsOptions, ports: GuestsPorts) {
    this.#options = options
    this.#ports = ports
    this.#pool = new GuestPool({ ...options.pool, maxMemoryBytes: options.limits.maxMemoryBytes }, ports)
    this.#printer = new GuestPrinter(ports)
  }

  get counts(): GuestCounts {
    return this.#pool.counts
  }

  /** Process ids of those that run. */
  get pids(): number[] {
    return this.#pool.pids
  }

  /** Starts the processes that are to lie ready. */
  start(): void {
    this.#pool.start()
  }

  /** Finds out what its guests need before anybody asks for them. Never rejects. */
  async foresee(domain: Hostname, components: readonly Component[]): Promise<void> {
    if (components.length > 0) this.#pool.start()
    await Promise.all(components.map((component) => this.#find(domain, component)))
  }

  async run(run: GuestRun): Promise<GuestOutcome> {
    const { domain, component, trace } = run
    const found = await this.#find(domain, component)
    const outcome = 'outcome' in found ? found.outcome : await this.#runAs(found.spec, run)
    if (outcome.kind === 'failed') {
      const { why, detail } = outcome
      this.#printer.failed({ domain, name: component.path, trace }, { why, detail })
    }
    return outcome
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #runAs(spec: GuestSpec, { domain, manifest, trace, input, siteTimeMs = 0 }: GuestRun): Promise<GuestOutcome> {
    const { blobs, log, runtime, openNetwork, context } = this.#ports
    const name = spec.name
    const output = this.#printer.open({ domain, name, trace })
    const network = openNetwork?.({ domain, name })
    const site = createSiteServices({ manifest, blobs, log, runtime, ...(network === undefined ? {} : { network }) })
    const services: GuestServices = {
      answer(ask, body) {
        if (ask.ask === 'print') output.write(ask.stream === 'stderr' ? 'stderr' : 'stdout', body)
        return site.answer(ask, body)
      },
      close() {
        output.close()
        site.close()
      },
    }
    const whole = { ...input, context: context() }
    const read = () => this.#read(spec)
    return await this.#pool.run(spec, read, { input: whole, siteTimeMs, services, timeoutMs: spec.timeoutMs })
  }

  /** Damaged files are made anew by control, once. */
  async #read({ prepared: { component, folder } }: GuestSpec): Promise<PreparedFiles> {
    const files = await readPreparedFiles(folder, component)
    if (files !== undefined) return files
    const again = await this.#ports.prepare(component)
    const mended =
      again !== undefined && 'prepared' in again ? await readPreparedFiles(again.prepared.folder, component) : undefined
    if (mended !== undefined) return mended
    throw new MakiError('MAKI_BLOB_MISSING', 'the code of the component is not ready on this node at the moment')
  }

  #find(domain: Hostname, component: Component): Promise<Found> {
    const key = keyOf(domain, component)
    const known = this.#known.get(key)
    this.#known.delete(key)
    const finding = known ?? this.#look(key, domain, component)
    this.#known.set(key, finding)
    if (known === undefined)
      void finding.then((found) => {
        if ('outcome' in found && this.#known.get(key) === finding) this.#known.delete(key)
      })
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_KNOWN) break
      this.#known.delete(oldest)
    }
    return finding
  }

  async #look(key: string, domain: Hostname, component: Component): Promise<Found> {
    const { prepare, openEnvironment } = this.#ports
    const { path, env = {} } = component
    const isBare = Object.keys(env).length === 0
    const [preparation, opened] = await Promise.all([
      prepare(component.component).catch(() => undefined),
      isBare ? {} : openEnvironment(domain, path, env).catch(() => undefined),
    ])
    if (preparation !== undefined && 'fault' in preparation) return refuse('unfit', preparation.fault.message)
    if (preparation === undefined) return refuse('busy', 'its component is not ready on this node yet')
    if (opened === undefined) return refuse('busy', 'this node cannot open its environment yet')
    const { limits } = this.#options
    const timeoutMs = Math.min(component.timeoutMs ?? limits.defaultTimeoutMs, limits.maxTimeoutMs)
    const wantedBytes = (component.maxMemoryMb ?? 0) * MIB
    const maxMemoryBytes = Math.min(wantedBytes || limits.defaultMemoryBytes, limits.maxMemoryBytes)
    const { prepared } = preparation
    return { spec: { key, domain, name: path, prepared, env: opened, timeoutMs, maxMemoryBytes } }
  }
}

const MIB = 1024 * 1024

const refuse = (why: 'unfit' | 'busy', detail: string): Found => ({
  outcome: { kind: 'failed', why, detail, cpuMs: 0 },
})

/** Of the sealed values, which change with what they hold: what is in clear stands in no key. */
function keyOf(domain: Hostname, { path, component, env = {}, timeoutMs, maxMemoryMb }: Component): string {
  const sealed = Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1))
  const parts = [domain, path, component, sealed, timeoutMs ?? null, maxMemoryMb ?? null]
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
}
