import type { Runtime } from '../../core/index.ts'
import { clampModule, type ModuleLimits } from '../components/index.ts'
import { buildWasi } from './wasi/index.ts'
import type { GuestChannel } from './wasi-ports.ts'

/** The code of a component with all that it is run with. */
export interface BoundParts {
  readonly world: 'http' | 'transform'
  readonly glue: string
  readonly modules: ReadonlyMap<string, Uint8Array>
  readonly limits: ModuleLimits
  readonly env: Readonly<Record<string, string>>
  readonly channel: GuestChannel
  readonly runtime: Pick<Runtime, 'now' | 'monotonic' | 'randomBytes'>
}

/** The function that a world exports, as the glue has it. */
export type GuestCall = (context: unknown, ...values: unknown[]) => unknown

type Instantiate = (getModule: (name: string) => WebAssembly.Module, imports: object) => Record<string, unknown>

const EXPORTED = {
  http: ['handler', 'handleRequest'],
  transform: ['transformer', 'transform'],
} as const

/** A component whose code is compiled, and instances of it, each used for one run. */
export class BoundGuest {
  readonly #parts: BoundParts
  readonly #instantiate: Instantiate
  readonly #modules: ReadonlyMap<string, WebAssembly.Module>
  #siteTimeMs = 0

  private constructor(parts: BoundParts, instantiate: Instantiate, modules: ReadonlyMap<string, WebAssembly.Module>) {
    this.#parts = parts
    this.#instantiate = instantiate
    this.#modules = modules
  }

  /** Rejects where the modules cannot be compiled within the limits. */
  static async bind(parts: BoundParts): Promise<BoundGuest> {
    const modules = new Map<string, WebAssembly.Module>()
    for (const [name, bytes] of parts.modules)
      modules.set(name, new WebAssembly.Module(Buffer.from(clampModule(bytes, parts.limits))))
    const url = `data:text/javascript;base64,${Buffer.from(parts.glue).toString('base64')}`
    const { instantiate } = (await import(url)) as { instantiate: Instantiate }
    return new BoundGuest(parts, instantiate, modules)
  }

  /** The time that the site's files bear in runs from now on. */
  set siteTimeMs(ms: number) {
    this.#siteTimeMs = ms
  }

  /** A fresh instance; throws what the component throws where it starts. */
  instantiate(): GuestCall {
    const { world, channel, runtime, env } = this.#parts
    const guest = this
    const wasi = buildWasi({
      channel,
      runtime,
      env,
      get siteTimeMs() {
        return guest.#siteTimeMs
      },
    })
    const exports = this.#instantiate((name) => this.#modules.get(name) as WebAssembly.Module, wasi)
    const [face, name] = EXPORTED[world]
    const call = (exports[face] as Record<string, GuestCall> | undefined)?.[name]
    if (call === undefined) throw new Error(`it exports no ${name} in an interface ${face}`)
    return call
  }
}
