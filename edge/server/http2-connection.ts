import {
  constants,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2'
import type { TLSSocket } from 'node:tls'
import type { Runtime } from '../../core/index.ts'
import type { ConnectionBudget } from './connection-budget.ts'
import { FloodBudget } from './flood-budget.ts'
import { asAnswerStream } from './http2-answer.ts'
import { type Http2Peer, isOversized, readHttp2Request } from './http2-request.ts'
import type { RequestHandler } from './request-handler.ts'
import { StreamedContent } from './streamed-content.ts'

export interface Http2Ports {
  readonly handler: RequestHandler
  readonly budget: ConnectionBudget
  readonly runtime: Pick<Runtime, 'monotonic'>
}

/** Longer than a browser waits between the page and its last image, shorter than NAT tables forget. */
const KEEP_ALIVE_MS = 60_000

/** What node and nghttp2 bound by themselves; the rest is the flood budget's. */
const SESSION: ServerOptions = {
  settings: {
    // As nginx and Caddy have it within a factor; what is over is refused, and may be asked again (RFC 9113 section 5.1.2).
    maxConcurrentStreams: 128,
    // What comes before somebody reads is held; what nobody reads fills a window that is not opened again.
    initialWindowSize: 16 * 1024,
    // More than is answered with anything but 431, so that there is an answer at all.
    maxHeaderListSize: 64 * 1024,
  },
  maxHeaderListPairs: 400,
  maxSessionMemory: 4,
  maxSettings: 16,
  // Frames that are nonsense, and streams over the limit, before the connection ends.
  maxSessionInvalidFrames: 50,
  maxSessionRejectedStreams: 200,
  streamResetBurst: 400,
  streamResetRate: 20,
}

/** One HTTP/2 connection (RFC 9113), by node:http2: its streams go to the request handler, its frames are watched. */
export class Http2Connection {
  readonly socket: TLSSocket
  readonly #session: ServerHttp2Session
  readonly #ports: Http2Ports
  readonly #peer: Http2Peer
  readonly #flood: FloodBudget
  #requests = 0
  #contentBytes = 0
  #answered = 0
  #dropped = 0
  #underWay = 0
  #restsSinceMs: number

  constructor(socket: TLSSocket, covers: (host: string) => boolean, ports: Http2Ports) {
    this.socket = socket
    this.#ports = ports
    const client = { address: socket.remoteAddress ?? '', country: undefined }
    this.#peer = { client: () => client, covers }
    this.#restsSinceMs = ports.runtime.monotonic()
    this.#flood = new FloodBudget(this.#restsSinceMs)
    this.#session = performServerHandshake(socket, SESSION)
    // What breaks the protocol: told to the client by nghttp2, and the connection ends.
    this.#session.on('error', () => {
      ports.handler.counters.malformed++
      socket.destroy()
    })
    this.#session.on('stream', (stream, headers, flags, rawHeaders) => this.#serve(stream, headers, flags, rawHeaders))
    ports.budget.rests(socket)
  }

  /** To be called about every second: ends a connection that floods, or that has asked for nothing for a minute. */
  check(): void {
    const { runtime, handler } = this.#ports
    const nowMs = runtime.monotonic()
    const { bytesRead, bytesWritten } = this.socket
    const traffic = {
      bytesRead,
      bytesWritten,
      contentBytes: this.#contentBytes,
      requests: this.#requests,
      answered: this.#answered,
      dropped: this.#dropped,
    }
    if (this.#flood.exceeds(traffic, nowMs)) {
      handler.counters.http2Calmed++
      this.#end(constants.NGHTTP2_ENHANCE_YOUR_CALM)
    } else if (this.#underWay === 0 && nowMs - this.#restsSinceMs > KEEP_ALIVE_MS) this.close()
  }

  /** Takes no further request (GOAWAY), and ends when those under way are answered. */
  close(): void {
    if (!this.#session.destroyed && !this.#session.closed) this.#session.close()
  }

  destroy(): void {
    this.#end(constants.NGHTTP2_NO_ERROR)
  }

  #end(code: number): void {
    if (this.#session.destroyed) return
    // The code goes out as GOAWAY, then the connection ends; what comes of it is no news.
    this.#session.destroy(undefined, code)
  }

  #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, rawHeaders: readonly string[]): void {
    const { handler, budget } = this.#ports
    this.#requests++
    if (this.#underWay++ === 0) budget.wakes(this.socket)
    stream.once('close', () => {
      if (stream.writableFinished) this.#answered++
      else if (++this.#dropped % CHECK_EVERY_DROPS === 0) this.check()
      if (--this.#underWay > 0) return
      this.#restsSinceMs = this.#ports.runtime.monotonic()
      budget.rests(this.socket)
    })
    const endsStream = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
    const content = endsStream ? undefined : contentOf(stream, headers, (bytes) => (this.#contentBytes += bytes))
    const request = readHttp2Request(headers, rawHeaders, this.#peer, content)
    const decided = isOversized(rawHeaders) ? handler.refuse(request, 431) : undefined
    handler.handle(request, asAnswerStream(stream), 'h2', decided)
  }
}

function contentOf(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  took: (bytes: number) => void,
): StreamedContent {
  const { 'content-length': length, expect } = headers
  return new StreamedContent(stream, {
    lengthBytes: length === undefined ? undefined : Number(length),
    invite: expect === '100-continue' ? () => stream.additionalHeaders({ ':status': 100 }) : undefined,
    took,
    cut: () => stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM),
    isFollowed: false,
  })
}

/** Often enough that a flood of resets is seen before the next second. */
const CHECK_EVERY_DROPS = 64
