import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { inTime } from '../../../support/in-time.ts'

/** Types of frames (RFC 9113 section 6). */
export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
} as const

export const FLAG = { ack: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 32 } as const

/** Error codes (RFC 9113 section 7), by number. */
export const CODES = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
] as const

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

export type Field = readonly [name: string, value: string]

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/** A frame with whatever is asked for, right or wrong. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array | string = ''): Buffer {
  const body = Buffer.from(payload as Uint8Array)
  const head = Buffer.alloc(9)
  head.writeUIntBE(body.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, body])
}

export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(6 * pairs.length)
  for (const [i, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, 6 * i)
    payload.writeUInt32BE(value, 6 * i + 2)
  }
  return frame(TYPE.settings, 0, 0, payload)
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export const ping = (text = 'ping....'): Buffer => frame(TYPE.ping, 0, 0, text)
export const reset = (stream: number, code = 8): Buffer => frame(TYPE.reset, 0, stream, uint32(code))
export const windowUpdate = (stream: number, by: number): Buffer => frame(TYPE.window, 0, stream, uint32(by))
export const data = (stream: number, text: string, end = true): Buffer =>
  frame(TYPE.data, end ? FLAG.endStream : 0, stream, text)
export const priority = (stream: number, on = 0, weight = 255): Buffer =>
  frame(TYPE.priority, 0, stream, Buffer.concat([uint32(on), Buffer.from([weight])]))

/** Header fields as literals without indexing (RFC 7541 section 6.2.2), so that no state is left behind. */
export function encodeFields(fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), encodeString(name), encodeString(value)]))
}

function encodeString(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  return Buffer.concat([encodeInteger(bytes.length, 7), bytes])
}

/** RFC 7541 section 5.1; `mark` are the bits before the prefix. */
export function encodeInteger(value: number, prefixBits: number, mark = 0): Buffer {
  const most = 2 ** prefixBits - 1
  if (value < most) return Buffer.from([mark | value])
  const bytes = [mark | most]
  let left = value - most
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) | 128)
  return Buffer.from([...bytes, left])
}

export const request = (path = '/', method = 'GET', authority = 'example.com'): Field[] => [
  [':method', method],
  [':scheme', 'https'],
  [':path', path],
  [':authority', authority],
]

/** A HEADERS frame; ends headers and stream unless told otherwise. */
export function headers(
  stream: number,
  fields: readonly Field[] | Uint8Array = request(),
  options: { end?: boolean; endHeaders?: boolean; flags?: number } = {},
): Buffer {
  const { end = true, endHeaders = true, flags = 0 } = options
  const block = fields instanceof Uint8Array ? fields : encodeFields(fields)
  return frame(TYPE.headers, (end ? FLAG.endStream : 0) | (endHeaders ? FLAG.endHeaders : 0) | flags, stream, block)
}

export const continuation = (stream: number, fields: readonly Field[] | Uint8Array, end = true): Buffer =>
  frame(
    TYPE.continuation,
    end ? FLAG.endHeaders : 0,
    stream,
    fields instanceof Uint8Array ? fields : encodeFields(fields),
  )

/** A client that sends any bytes it is told to, over TLS with `h2`, and keeps all frames that it got. */
export class RawHttp2 implements Disposable {
  readonly socket: TLSSocket
  readonly frames: Frame[] = []
  #rest: Buffer = Buffer.alloc(0)
  #closed = false
  readonly #looks = new Set<() => void>()

  private constructor(socket: TLSSocket) {
    this.socket = socket
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => {
      this.#rest = Buffer.concat([this.#rest, bytes])
      this.#parse()
      this.#look()
    })
    socket.on('close', () => {
      this.#closed = true
      this.#look()
    })
  }

  /** The handshake is done and, unless `silent`, preface and empty settings are sent. */
  static async connect(port: number, options: { servername?: string; silent?: boolean } = {}): Promise<RawHttp2> {
    const { servername = 'example.com', silent = false } = options
    const socket = connect({ host: '127.0.0.1', port, servername, ALPNProtocols: ['h2'], rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const client = new RawHttp2(socket)
    if (!silent) client.send(PREFACE, settings())
    return client
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /** False when the system's buffer is full. */
  send(...parts: readonly Uint8Array[]): boolean {
    return this.#closed || this.socket.destroyed ? false : this.socket.write(Buffer.concat(parts))
  }

  /** Resolves with what `find` finds among all frames, or undefined when the connection has closed without it. */
  async until<T>(what: string, find: (frame: Frame) => T | undefined): Promise<T | undefined> {
    const { promise, resolve } = Promise.withResolvers<T | undefined>()
    const look = () => {
      for (const one of this.frames) {
        const found = find(one)
        if (found !== undefined) return resolve(found)
      }
      if (this.#closed) resolve(undefined)
    }
    this.#looks.add(look)
    look()
    try {
      return await inTime(what, promise)
    } finally {
      this.#looks.delete(look)
    }
  }

  /** Resolves when the server has closed the connection. */
  async closed(): Promise<void> {
    await this.until('the connection to be closed', () => undefined)
  }

  /** Resolves when there is room again, or the connection has closed. */
  async drained(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.socket.once('drain', resolve).once('close', () => resolve())
    if (this.#closed) resolve()
    await inTime('room to send', promise)
  }

  /** A round trip: all that was sent before was seen. False where the connection ended first. */
  async pong(text: string): Promise<boolean> {
    this.send(ping(text))
    const found = await this.until('a pong', ({ type, flags, payload }) =>
      type === TYPE.ping && flags === FLAG.ack && payload.toString() === text ? true : undefined,
    )
    return found === true
  }

  get goaway(): string | undefined {
    const last = this.frames.findLast(({ type }) => type === TYPE.goaway)
    return last && nameCode(last.payload.readUInt32BE(4))
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }

  #look(): void {
    for (const look of this.#looks) look()
  }

  #parse(): void {
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3)
      if (this.#rest.length < 9 + length) return
      const [type, flags] = [this.#rest[3] as number, this.#rest[4] as number]
      const stream = this.#rest.readUInt32BE(5)
      this.frames.push({ type, flags, stream, payload: Buffer.from(this.#rest.subarray(9, 9 + length)) })
      this.#rest = this.#rest.subarray(9 + length)
    }
  }
}

export const nameCode = (code: number): string => CODES[code] ?? String(code)
