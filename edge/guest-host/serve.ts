import type { Runtime } from '../../core/index.ts'
import { BoundGuest, type GuestCall } from './bound-guest.ts'
import { installBudget, setBudget, TooLarge } from './budget.ts'
import { HostChannel } from './host-channel.ts'
import { type BindHead, MOST_GIVEN, type RunHead, type Said } from './host-messages.ts'
import { stripGlobals } from './strip-globals.ts'
import { GuestExit } from './wasi-ports.ts'

export interface ServeOptions {
  readonly runtime: Pick<Runtime, 'now' | 'monotonic' | 'randomBytes'>
  readonly confinement: 'kernel' | 'runtime'
  /** CPU time of this process so far, microseconds. */
  readonly cpuMicros: () => number
}

/** So many runs, and then the event loop turns once: what waits there to be given back is. */
const RUNS_PER_TURN = 64

/**
 * Runs one stranger's component for its owner until the owner ends the process: reads what is to be run, runs it in an
 * instance of its own, says what came of it, makes the next instance, and says that it rests.
 */
export async function serveGuest(options: ServeOptions): Promise<never> {
  const channel = new HostChannel()
  installBudget()
  channel.say({ confinement: options.confinement })
  const { header, body } = channel.read()
  if (!('tell' in header) || header.tell !== 'bind') throw new Error('it has to be bound first')
  const server = new GuestServer(channel, options)
  await server.bind(header.bind, body)
  for (let runs = 1; ; runs++) {
    const next = channel.read()
    if (!('tell' in next.header) || next.header.tell !== 'run') throw new Error('a run was expected')
    server.run(next.header.run, next.body)
    if (runs % RUNS_PER_TURN === 0) await new Promise<void>((resolve) => nextTurn(resolve))
    server.prepare()
    channel.say({ rested: true })
  }
}

/** Kept, since it is taken from the globals. */
const nextTurn = setImmediate

class GuestServer {
  readonly #channel: HostChannel
  readonly #options: ServeOptions
  #guest: BoundGuest | undefined
  /** Made ahead, for one run. */
  #spare: GuestCall | undefined
  /** What fails or asks its owner for something where it starts is not started ahead: nobody would answer, and nobody be told. */
  #mayBeAhead = true

  constructor(channel: HostChannel, options: ServeOptions) {
    this.#channel = channel
    this.#options = options
  }

  async bind(head: BindHead, body: Buffer): Promise<void> {
    const { world, limits, environmentBytes, glueBytes } = head
    let at = environmentBytes
    const env: Record<string, string> = JSON.parse(body.toString('utf8', 0, at))
    const glue = body.toString('utf8', at, at + glueBytes)
    at += glueBytes
    const modules = new Map<string, Uint8Array>()
    for (const [name, sizeBytes] of head.modules) {
      modules.set(name, body.subarray(at, at + sizeBytes))
      at += sizeBytes
    }
    const { runtime } = this.#options
    try {
      this.#guest = await BoundGuest.bind({ world, glue, modules, limits, env, channel: this.#channel, runtime })
    } catch (error) {
      this.#channel.say({ unfit: describe(error) })
      return
    }
    stripGlobals()
    this.#channel.say({ bound: true })
  }

  /** Makes the next instance, so that whoever asks next need not wait for that. */
  prepare(): void {
    if (!this.#mayBeAhead || this.#guest === undefined) return
    setBudget(MOST_GIVEN.decodedBytes)
    const { result, hasAsked } = this.#channel.inSilence(() => {
      try {
        return this.#guest?.instantiate()
      } catch {
        return undefined
      }
    })
    this.#mayBeAhead = result !== undefined && !hasAsked
    this.#spare = this.#mayBeAhead ? result : undefined
  }

  run(head: RunHead, body: Buffer): void {
    const fromMicros = this.#options.cpuMicros()
    const spent = () => (this.#options.cpuMicros() - fromMicros) / 1000
    let said: Said
    let content: Uint8Array | undefined
    try {
      if (this.#guest !== undefined) this.#guest.siteTimeMs = head.siteTimeMs
      setBudget(MOST_GIVEN.decodedBytes)
      const call = this.#take()
      if (head.world === 'http') {
        const given = call(head.context, buildRequest(head.request, body)) as GivenResponse
        content = given.body
        const { status } = given
        said = {
          response: { status, headers: checkHeaders(given.headers), hasBody: content !== undefined },
          cpuMs: spent(),
        }
      } else {
        const { path, mimeType } = head.file
        const info = { path, mimeType, size: BigInt(body.length) }
        const given = call(head.context, info, body) as GivenFile | undefined
        content = given?.content
        const transformed =
          given === undefined
            ? null
            : {
                ...(given.mimeType === undefined ? {} : { mimeType: given.mimeType }),
                headers: checkHeaders(given.headers),
              }
        said = { transformed, cpuMs: spent() }
      }
      if ((content?.length ?? 0) > MOST_GIVEN.contentBytes)
        throw new TooLarge(`its answer has ${content?.length} bytes, ${MOST_GIVEN.contentBytes} are the most`)
    } catch (error) {
      content = undefined
      said = { failed: error instanceof TooLarge ? 'too-large' : 'trap', detail: describe(error), cpuMs: spent() }
    }
    this.#channel.say(said, content)
  }

  #take(): GuestCall {
    const call = this.#spare ?? this.#guest?.instantiate()
    this.#spare = undefined
    if (call === undefined) throw new Error('it has no code')
    return call
  }
}

interface GivenResponse {
  readonly status: number
  readonly headers: [string, string][]
  readonly body: Uint8Array | undefined
}

interface GivenFile {
  readonly content: Uint8Array
  readonly mimeType: string | undefined
  readonly headers: [string, string][]
}

function buildRequest(request: (RunHead & { world: 'http' })['request'], body: Buffer): object {
  const { method, path, query, headers, hasBody } = request
  return { method, path, query, headers, body: hasBody ? body : undefined }
}

function checkHeaders(headers: readonly [string, string][]): readonly [string, string][] {
  if (headers.length > MOST_GIVEN.headers)
    throw new TooLarge(`it gave ${headers.length} headers, ${MOST_GIVEN.headers} are the most`)
  let bytes = 0
  for (const [name, value] of headers) bytes += name.length + value.length
  if (bytes > MOST_GIVEN.headerBytes)
    throw new TooLarge(`its headers have ${bytes} characters, ${MOST_GIVEN.headerBytes} are the most`)
  return headers
}

/** For the owner's log. */
function describe(error: unknown): string {
  if (error instanceof GuestExit) return error.message
  const words = error instanceof Error ? `${error.name}: ${error.message}` : `it threw ${String(error)}`
  return words.slice(0, MOST_GIVEN.detailChars)
}
