import { type Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { type BlobHash, encodeCanonical, MakiError, type Runtime } from '../../core/index.ts'

export interface TransferContext {
  readonly agent: Agent
  readonly runtime: Pick<Runtime, 'after'>
  /** A peer that sends nothing, or next to nothing, for so long has stalled. */
  readonly idleMs: number
  readonly signal: AbortSignal
}

interface RangeReply {
  /** Where the body starts: what was asked for, or 0 where the peer sends the whole. */
  readonly startBytes: number
  readonly totalBytes: number
  readonly body: AsyncIterable<Uint8Array>
  /** Hangs up without reading the body. */
  discard(): void
}

/** Fewer bytes than this in an idle period are a stall too, or a peer could hold a transfer for days. */
const MIN_BYTES_PER_PERIOD = 16 * 1024

/**
 * Asks a peer for a pack. Throws MAKI_UNREACHABLE when the connection fails, MAKI_TIMEOUT when it stalls, MAKI_PROTOCOL for an
 * answer that is none of ours; so does the stream, which has to be read to its end or returned.
 */
export async function requestPack(
  url: string,
  hashes: readonly BlobHash[],
  context: TransferContext,
): Promise<AsyncIterable<Uint8Array>> {
  const body = encodeCanonical(hashes.map((hash) => Buffer.from(hash, 'hex')))
  const reply = await send(new URL('/pack', url), 'POST', {}, body, context)
  if (reply.status !== 200) {
    reply.discard()
    throw unexpected(`it answers a request for a pack with status ${reply.status}`)
  }
  return reply.body
}

/** Asks for a blob from an offset on; undefined when the peer does not have it. Throws as `requestPack` does. */
export async function requestBlob(
  url: string,
  hash: BlobHash,
  fromBytes: number,
  context: TransferContext,
): Promise<RangeReply | undefined> {
  const headers = fromBytes === 0 ? {} : { range: `bytes=${fromBytes}-` }
  const reply = await send(new URL(`/blobs/${hash}`, url), 'GET', headers, undefined, context)
  const { 'content-length': length, 'content-range': range } = reply.headers
  if (reply.status === 200 && /^\d{1,15}$/.test(length ?? ''))
    return { startBytes: 0, totalBytes: Number(length), body: reply.body, discard: reply.discard }
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(range ?? '')
  if (reply.status === 206 && match !== null && Number(match[1]) === fromBytes)
    return { startBytes: fromBytes, totalBytes: Number(match[3]), body: reply.body, discard: reply.discard }
  reply.discard()
  if (reply.status === 404) return undefined
  throw unexpected(`it answers a request for a blob with status ${reply.status}`)
}

interface Reply {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: AsyncIterable<Uint8Array>
  /** Hangs up without reading the body. */
  discard(): void
}

async function send(
  url: URL,
  method: string,
  headers: Record<string, string>,
  body: Uint8Array | undefined,
  context: TransferContext,
): Promise<Reply> {
  const { agent, signal } = context
  const length = body === undefined ? {} : { 'content-length': String(body.length) }
  const request = httpRequest(url, { method, agent, signal, headers: { ...headers, ...length } })
  const watch = new StallWatch(request, context)
  try {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    request.once('response', resolve)
    // Stays on: an error may follow the response, and belongs to the body then.
    request.on('error', reject)
    request.end(body)
    const response = await promise
    // For the body that nobody reads; who reads it gets the error from the stream.
    response.on('error', () => {})
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: readBody(response, watch),
      discard: () => {
        watch.stop()
        request.destroy()
      },
    }
  } catch (cause) {
    watch.stop()
    throw watch.error ?? unreachable(cause)
  }
}

async function* readBody(response: IncomingMessage, watch: StallWatch): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      watch.pause(chunk.length)
      yield chunk
      watch.resume()
    }
  } catch (cause) {
    throw watch.error ?? unreachable(cause)
  } finally {
    watch.stop()
  }
}

/** Hangs up on a peer that keeps us waiting; time that we spend on what it sent does not count against it. */
class StallWatch {
  error: MakiError | undefined
  readonly #request: ClientRequest
  readonly #context: TransferContext
  #cancel = (): void => {}
  #bytes = 0
  #paused = false
  /** Ours was a part of the period, so it proves nothing. */
  #wasPaused = false

  constructor(request: ClientRequest, context: TransferContext) {
    this.#request = request
    this.#context = context
    this.#arm()
  }

  pause(bytes: number): void {
    this.#bytes += bytes
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
  }

  stop(): void {
    this.#cancel()
  }

  #arm(): void {
    this.#cancel = this.#context.runtime.after(this.#context.idleMs, () => {
      if (!this.#paused && !this.#wasPaused && this.#bytes < MIN_BYTES_PER_PERIOD) {
        this.error = new MakiError('MAKI_TIMEOUT', `the peer sent next to nothing for ${this.#context.idleMs} ms`)
        this.#request.destroy()
        return
      }
      this.#wasPaused = this.#paused
      this.#bytes = 0
      this.#arm()
    })
  }
}

const unreachable = (cause: unknown): MakiError =>
  new MakiError(
    'MAKI_UNREACHABLE',
    `the connection to the peer failed: ${cause instanceof Error ? cause.message : cause}`,
    {
      cause,
    },
  )

const unexpected = (why: string): MakiError =>
  new MakiError('MAKI_PROTOCOL', `the peer is no blob server of ours: ${why}`)
