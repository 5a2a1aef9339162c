import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  asMakiError,
  type BlobHash,
  decodeMessage,
  ID_BYTES,
  isBlobHash,
  type Log,
  MakiError,
} from '../../core/index.ts'
import { encodePack, type PackItem, SMALL_BLOB_BYTES } from '../blobs/blob-pack.ts'
import type { BlobStore } from '../blobs/blob-store.ts'

export interface BlobServerOptions {
  readonly store: BlobStore
  /** The mesh address, or another that strangers do not reach. */
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly log: Log
  /** Whether somebody at this address may ask, heard before a byte is read, and with each request; everybody by default. */
  readonly accepts?: ((host: string) => boolean) | undefined
  /** Makes the server listen, where that is not done as usual. Rejects with a MakiError. */
  readonly listen?: ((server: Server, at: { host: string; port: number }) => Promise<void>) | undefined
}

/** The hashes that one pack may be asked for. */
export const MAX_PACK_HASHES = 4096
/** MessagePack spends 2 bytes on each 32-byte binary, and 5 on the array. */
const MAX_PACK_REQUEST_BYTES = MAX_PACK_HASHES * (ID_BYTES + 2) + 5
/** A large cluster's nodes with a few connections each. */
const MAX_CONNECTIONS = 512
const HEADERS_TIMEOUT_MS = 10_000
/** Requests are small; only answers may take long. */
const REQUEST_TIMEOUT_MS = 30_000
/** A peer that takes no byte for so long has gone. */
const IDLE_TIMEOUT_MS = 60_000

/**
 * Serves blobs to peers: `GET` and `HEAD /blobs/<hash>` with single ranges (RFC 9110 section 14), and `POST /pack`
 * with a MessagePack array of 32-byte hashes, answered by a pack (`blob-pack.ts`) of those that are here.
 */
export class BlobServer implements AsyncDisposable {
  readonly #server: Server
  readonly #store: BlobStore
  readonly #log: Log
  readonly #accepts: (host: string) => boolean
  readonly #listen: BlobServerOptions['listen']
  /** For metrics; only ever grow. */
  readonly counts = { requests: 0, refused: 0, failed: 0 }

  constructor(options: Pick<BlobServerOptions, 'store' | 'log' | 'accepts' | 'listen'>) {
    this.#store = options.store
    this.#log = options.log
    this.#accepts = options.accepts ?? (() => true)
    this.#listen = options.listen
    this.#server = createServer(
      { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS, maxHeaderSize: 8192 },
      (request, response) => void this.#answer(request, response),
    )
    this.#server.maxConnections = MAX_CONNECTIONS
    this.#server.timeout = IDLE_TIMEOUT_MS
    this.#server.keepAliveTimeout = IDLE_TIMEOUT_MS
    this.#server.prependListener('connection', (socket) => {
      if (this.#accepts(socket.remoteAddress ?? '')) return
      this.counts.refused += 1
      socket.destroy()
    })
    this.#server.on('clientError', (_error, socket) => {
      this.counts.refused += 1
      socket.destroy()
    })
  }

  get address(): { readonly host: string; readonly port: number } {
    const { address, port } = this.#server.address() as AddressInfo
    return { host: address, port }
  }

  /** For a BlobPeer on this machine or across the mesh. */
  get url(): string {
    const { host, port } = this.address
    return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  }

  /** `::` becomes `0.0.0.0` where there is no IPv6. */
  async listen(host: string, port: number): Promise<void> {
    if (this.#listen !== undefined) {
      await this.#listen(this.#server, { host, port })
      this.#server.on('error', (error) => this.#log.error('blobs.server_failed', { error }))
      return
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#server.once('error', reject)
    this.#server.listen(port, host, resolve)
    try {
      await promise
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (host !== '::' || (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL')) throw listenError(cause, host, port)
      this.#server.off('error', reject)
      await this.listen('0.0.0.0', port)
      return
    } finally {
      this.#server.off('error', reject)
    }
    this.#server.on('error', (error) => this.#log.error('blobs.server_failed', { error }))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.counts.requests += 1
    try {
      // Who was a member when it connected may be none any more.
      if (!this.#accepts(request.socket.remoteAddress ?? ''))
        throw new MakiError('MAKI_NOT_FOUND', 'there is nothing here for this address')
      await this.#route(request, response)
    } catch (thrown) {
      const error = asMakiError(thrown)
      if (error.httpStatus < 500) this.counts.refused += 1
      // Peers hang up for good reasons (they found another, they were told to stop); that is no event.
      else if (!response.destroyed) {
        this.counts.failed += 1
        this.#log.warn('blobs.answer_failed', { error })
      }
      if (response.headersSent) response.destroy()
      else response.writeHead(error.httpStatus, { connection: 'close' }).end()
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '' } = request
    if (method === 'POST' && url === '/pack') return await this.#sendPack(request, response)
    const hash = url.startsWith('/blobs/') ? url.slice('/blobs/'.length) : ''
    if ((method !== 'GET' && method !== 'HEAD') || !isBlobHash(hash))
      throw new MakiError('MAKI_NOT_FOUND', 'there is nothing at this address')
    const sizeBytes = (await this.#store.sizes([hash]))[0]
    if (sizeBytes === undefined) throw new MakiError('MAKI_NOT_FOUND', `blob ${hash} is not here`)
    await this.#sendBlob(hash, sizeBytes, request, response)
  }

  async #sendBlob(
    hash: BlobHash,
    sizeBytes: number,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const range = parseRange(request.headers.range, sizeBytes)
    if (range === 'unsatisfiable') {
      response.writeHead(416, { 'content-range': `bytes */${sizeBytes}` }).end()
      return
    }
    const { start, end } = range ?? { start: 0, end: sizeBytes }
    const headers = {
      'content-type': 'application/octet-stream',
      'accept-ranges': 'bytes',
      etag: `"${hash}"`,
      'content-length': end - start,
      ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${sizeBytes}` }),
    }
    response.writeHead(range === undefined ? 200 : 206, headers)
    if (request.method === 'HEAD') {
      response.end()
      return
    }
    const source = (await this.#store.stream(hash, { start, end })) as Readable
    // The peer may have left while the file was opened; a pipeline into a dead response would leave it open.
    if (response.destroyed) source.destroy()
    else await pipeline(source, response)
  }

  async #sendPack(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const hashes = parsePackRequest(await readBody(request, MAX_PACK_REQUEST_BYTES))
    response.writeHead(200, { 'content-type': 'application/octet-stream' })
    await pipeline(encodePack(listItems(this.#store, hashes)), response)
  }

  /** Ends connections under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    this.#server.closeAllConnections()
    await promise
  }
}

/** Throws MAKI_PORT_IN_USE; with anything else that keeps it from listening MAKI_CONFIG. */
export async function startBlobServer(options: BlobServerOptions): Promise<BlobServer> {
  const server = new BlobServer(options)
  await server.listen(options.host, options.port)
  options.log.info('blobs.listening', { ...server.address })
  return server
}

/** The items of a pack, of those hashes that are here; large ones are streamed. */
async function* listItems(store: BlobStore, hashes: readonly BlobHash[]): AsyncGenerator<PackItem> {
  const sizes = await store.sizes(hashes)
  for (const [i, hash] of hashes.entries()) {
    const sizeBytes = sizes[i]
    if (sizeBytes === undefined) continue
    const chunks = sizeBytes <= SMALL_BLOB_BYTES ? [store.readNow(hash)] : await store.stream(hash)
    yield { hash, sizeBytes, chunks: chunks as AsyncIterable<Uint8Array> | Uint8Array[] }
  }
}

/**
 * One range of a `Range` field (RFC 9110 section 14.2) as [start, end); undefined where the whole is to be sent:
 * without the field, with several ranges, or with one that does not parse.
 */
function parseRange(
  field: string | undefined,
  sizeBytes: number,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(field ?? '')
  if (match === null) return undefined
  const [, first = '', last = ''] = match
  if (first === '' && last === '') return undefined
  if (first === '') {
    const suffix = Number(last)
    return suffix === 0 || sizeBytes === 0
      ? 'unsatisfiable'
      : { start: Math.max(0, sizeBytes - suffix), end: sizeBytes }
  }
  const start = Number(first)
  const end = last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes)
  if (last !== '' && Number(last) < start) return undefined
  return start >= sizeBytes ? 'unsatisfiable' : { start, end }
}

function parsePackRequest(body: Uint8Array): BlobHash[] {
  let value: unknown
  try {
    value = decodeMessage(body)
  } catch (cause) {
    throw new MakiError('MAKI_PROTOCOL', 'the request is not MessagePack', { cause })
  }
  if (!Array.isArray(value) || value.length > MAX_PACK_HASHES)
    throw new MakiError('MAKI_PROTOCOL', `the request is not an array of up to ${MAX_PACK_HASHES} hashes`)
  return value.map((item: unknown) => {
    if (!(item instanceof Uint8Array) || item.length !== ID_BYTES)
      throw new MakiError('MAKI_PROTOCOL', 'the request holds something that is no hash')
    return Buffer.from(item).toString('hex') as BlobHash
  })
}

async function readBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new MakiError('MAKI_TOO_LARGE', `the request has more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function listenError(cause: unknown, host: string, port: number): MakiError {
  if (cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE')
    return new MakiError('MAKI_PORT_IN_USE', `port ${port} on ${host} is taken by another process`, {
      cause,
      hint: `Find it with: ss -ltnp 'sport = :${port}'`,
    })
  const why = cause instanceof Error ? cause.message : String(cause)
  return new MakiError('MAKI_CONFIG', `the blob server cannot listen on ${host} port ${port}: ${why}`, { cause })
}
