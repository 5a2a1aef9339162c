import type { Runtime } from '../../core/index.ts'
import { clampModule, exposeState, type ModuleLimits } from '../components/index.ts'
import { type CoreCode, CoreInstances } from './core-instances.ts'
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

type Instantiate = (
  getModule: (name: string) => CoreCode,
  imports: object,
  instantiateCore: CoreInstances['instantiate'],
) => Record<string, unknown>

const EXPORTED = {
  http: ['handler', 'handleRequest'],
  transform: ['transformer', 'transform'],
} as const

/** A component whose code is compiled, and instances of it, each used for one run. */
export class BoundGuest {
  readonly #parts: BoundParts
  readonly #instantiate: Instantiate
  readonly #modules: ReadonlyMap<string, CoreCode>
  readonly #cores: CoreInstances
  #siteTimeMs = 0

  private constructor(parts: BoundParts, instantiate: Instantiate, modules: ReadonlyMap<string, CoreCode>) {
    this.#parts = parts
    this.#instantiate = instantiate
    this.#modules = modules
    this.#cores = new CoreInstances(modules.values())
  }

  /** Rejects where the modules cannot be compiled within the limits. */
  static async bind(parts: BoundParts): Promise<BoundGuest> {
    const modules = new Map<string, CoreCode>()
    for (const [name, bytes] of parts.modules) modules.set(name, compile(clampModule(bytes, parts.limits)))
    const url = `data:text/javascript;base64,${Buffer.from(parts.glue).toString('base64')}`
    const { instantiate } = (await import(url)) as { instantiate: Instantiate }
    return new BoundGuest(parts, instantiate, modules)
  }

  /** The time that the site's files bear in runs from now on. */
  set siteTimeMs(ms: number) {
    this.#siteTimeMs = ms
  }

  /** What a run left behind is not to be trusted: the next instance has nothing in common with it. */
  forget(): void {
    this.#cores.forget()
  }

  /** A fresh instance, in the place of the last one; throws what the component throws where it starts. */
  instantiate(): GuestCall {
    try {
      return this.#instantiateOnce()
    } catch (error) {
      this.forget()
      throw error
    }
  }

  #instantiateOnce(): GuestCall {
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
    const cores = this.#cores
    cores.begin()
    const getCode = (name: string) => this.#modules.get(name) as CoreCode
    const exports = this.#instantiate(getCode, wasi, (code, imports) => cores.instantiate(code, imports))
    const [face, name] = EXPORTED[world]
    const call = (exports[face] as Record<string, GuestCall> | undefined)?.[name]
    if (call === undefined) throw new Error(`it exports no ${name} in an interface ${face}`)
    return call
  }
}

function compile(bytes: Uint8Array): CoreCode {
  const exposed = exposeState(bytes)
  return { module: new WebAssembly.Module(Buffer.from(exposed?.bytes ?? bytes)), state: exposed?.state }
}
