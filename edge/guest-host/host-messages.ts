import type { ModuleLimits } from '../components/index.ts'
import type { GuestMethod, NodeContext } from '../guest-contract/index.ts'

/**
 * What the owner tells a guest's process, as headers of frames. It is bound once, and runs one request after the other; each
 * is answered by its outcome, with asks (see `guest-contract/asks.ts`) in between, and then by `rested`: what the component does while its next
 * instance is made, it does within the time of its owner too.
 */
export type Told =
  /** The body: the environment as JSON, the glue, the modules, one after the other. */
  | { readonly tell: 'bind'; readonly bind: BindHead }
  /** The body is the content of the request, or the file. */
  | { readonly tell: 'run'; readonly run: RunHead }

export interface BindHead {
  readonly world: 'http' | 'transform'
  readonly limits: ModuleLimits
  readonly environmentBytes: number
  readonly glueBytes: number
  readonly modules: readonly (readonly [name: string, sizeBytes: number])[]
}

export type RunHead =
  | {
      readonly world: 'http'
      readonly context: NodeContext
      readonly siteTimeMs: number
      readonly request: {
        readonly method: GuestMethod
        readonly path: string
        readonly query?: string
        readonly headers: readonly (readonly [name: string, value: string])[]
        readonly hasBody: boolean
      }
    }
  | {
      readonly world: 'transform'
      readonly context: NodeContext
      readonly siteTimeMs: number
      readonly file: { readonly path: string; readonly mimeType: string }
    }

/** What the process answers. Its owner reads it as hostile, whatever wrote it. */
export type Said =
  /** The first of all: how it is confined. */
  | { readonly confinement: 'kernel' | 'runtime' }
  | { readonly bound: true }
  /** After each outcome: the process may be handed the next run. */
  | { readonly rested: true }
  /** The component cannot be instantiated here. */
  | { readonly unfit: string }
  /** The body is that of the response. */
  | {
      readonly response: {
        readonly status: number
        readonly headers: readonly (readonly [name: string, value: string])[]
        readonly hasBody: boolean
      }
      readonly cpuMs: number
    }
  /** The body is the new content; null: the file stays as it is. */
  | {
      readonly transformed: {
        readonly mimeType?: string
        readonly headers: readonly (readonly [name: string, value: string])[]
      } | null
      readonly cpuMs: number
    }
  | { readonly failed: 'trap' | 'too-large'; readonly detail: string; readonly cpuMs: number }

/** What a guest may give at most. */
export const MOST_GIVEN = {
  /** Content of a response, or of a transformed file. */
  contentBytes: 32 * 1024 * 1024,
  headers: 200,
  /** Names and values of all headers together. */
  headerBytes: 64 * 1024,
  /** All strings that come out of it in one run. */
  decodedBytes: 16 * 1024 * 1024,
  /** All lists of bytes that come out of it from one word with its owner to the next. */
  copiedBytes: 64 * 1024 * 1024,
  detailChars: 2000,
} as const
