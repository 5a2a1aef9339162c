import type { BlobHash, FunctionValue, Hostname, Manifest, OperationId, TransformValue } from '../../core/index.ts'
import type { World } from '../components/index.ts'

/** `node-context` of both worlds: the node that runs the guest. Degrees; 0 and 0 where its place is not known. */
export interface NodeContext {
  readonly name: string
  readonly latitude: number
  readonly longitude: number
}

/** A component that was made ready on this node: JavaScript and core modules, as files in a folder. */
export interface PreparedComponent {
  readonly component: BlobHash
  readonly world: World
  /** Absolute: holds `glue.js` and the modules. */
  readonly folder: string
  /** File names of the core modules, as the glue asks for them. */
  readonly modules: readonly string[]
}

/** Code with all that it is run with. Equal keys are equal guests: they may follow each other in one process. */
export interface GuestSpec {
  readonly key: string
  readonly domain: Hostname
  /** For people: the component's path in the site. */
  readonly name: string
  readonly prepared: PreparedComponent
  /** In clear: never logged, never on disk. */
  readonly env: Readonly<Record<string, string>>
  readonly timeoutMs: number
  /** Of each of its memories. */
  readonly maxMemoryBytes: number
}

export type GuestMethod = 'get' | 'post' | 'put' | 'delete' | 'patch' | 'head' | 'options'

export interface GuestRequest {
  readonly method: GuestMethod
  readonly path: string
  readonly query: string | undefined
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array | undefined
}

/** As the guest gave it: nothing of it is to be trusted. */
export interface GuestResponse {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array | undefined
}

export interface GuestFile {
  readonly path: string
  readonly mimeType: string
  readonly content: Uint8Array
}

/** Undefined: the file stays as it is. */
export interface GuestTransformed {
  readonly content: Uint8Array
  readonly mimeType: string | undefined
  readonly headers: readonly (readonly [name: string, value: string])[]
}

export type GuestInput =
  | { readonly world: 'http'; readonly context: NodeContext; readonly request: GuestRequest }
  | { readonly world: 'transform'; readonly context: NodeContext; readonly file: GuestFile }

/**
 * How a guest's run ended. `trap`: it failed by itself (`detail` is for its owner's log, never for visitors); `timeout` and
 * `memory`: it was ended; `too-large`: it gave more than it may; `busy`: it was not begun, there is no room; `unfit`: its
 * code cannot be run here at all.
 */
export type GuestOutcome =
  | { readonly kind: 'answered'; readonly response: GuestResponse; readonly cpuMs: number }
  | { readonly kind: 'transformed'; readonly result: GuestTransformed | undefined; readonly cpuMs: number }
  | { readonly kind: 'failed'; readonly why: GuestFailure; readonly detail: string; readonly cpuMs: number }

export type GuestFailure = 'trap' | 'timeout' | 'memory' | 'too-large' | 'busy' | 'unfit' | 'died' | 'closed'

/** One run of a component of a release. */
export interface GuestRun {
  readonly domain: Hostname
  readonly release: OperationId
  /** What it sees as its files. */
  readonly manifest: Manifest
  readonly component: FunctionValue | TransformValue
  readonly input: Omit<GuestInput & { world: 'http' }, 'context'> | Omit<GuestInput & { world: 'transform' }, 'context'>
  /** Stands in the log with all that it prints, and with how it failed. */
  readonly trace: string
  /** The time that all its files bear, milliseconds since the epoch; 0 where nothing is said. */
  readonly siteTimeMs?: number
}

/** Runs guests: finds their code and environment, waits for a place, gives them files, network and a log, and ends them. */
export interface GuestRunner {
  /** Never rejects. */
  run(run: GuestRun): Promise<GuestOutcome>
}
