import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type DecodedPacket, decode, encode, type RecordType } from 'dns-packet'

export type Decoded = DecodedPacket & { readonly rcode: string }

export const encodeQuery = (name: string, type: RecordType, id = 1): Buffer =>
  encode({ type: 'query', id, questions: [{ name, type }] })

/** A message as TCP carries it. */
export function frame(message: Uint8Array): Buffer {
  const bytes = Buffer.alloc(2 + message.length)
  bytes.writeUInt16BE(message.length)
  bytes.set(message, 2)
  return bytes
}

export class UdpClient {
  readonly #socket = createSocket('udp4')
  readonly #port: number

  constructor(port: number) {
    this.#port = port
  }

  send(message: Uint8Array): void {
    this.#socket.send(message, this.#port, '127.0.0.1')
  }

  async ask(message: Uint8Array): Promise<Decoded> {
    const received = once(this.#socket, 'message')
    this.send(message)
    const [bytes] = await received
    return decode(bytes as Buffer) as Decoded
  }

  close(): void {
    this.#socket.close()
  }
}

/** One connection; answers come out in the order of arrival. */
export class TcpClient {
  readonly socket: Socket
  readonly closed: Promise<unknown>
  #buffer: Buffer = Buffer.alloc(0)
  #ended = false
  #wake: () => void = () => {}

  private constructor(socket: Socket) {
    this.socket = socket
    this.closed = once(socket, 'close').catch(() => {})
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk])
      this.#wake()
    })
    const end = () => {
      this.#ended = true
      this.#wake()
    }
    socket.on('end', end).on('close', end)
  }

  static async open(port: number, localAddress = '127.0.0.1'): Promise<TcpClient> {
    const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true })
    const client = new TcpClient(socket)
    await once(socket, 'connect')
    return client
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((done) => this.socket.write(bytes, () => done()))
  }

  /** The next answer; undefined when the server closed instead. */
  async next(): Promise<Decoded | undefined> {
    const bytes = await this.nextBytes()
    return bytes && (decode(bytes) as Decoded)
  }

  /** As `next`, as it came. */
  async nextBytes(): Promise<Buffer | undefined> {
    for (;;) {
      const length = this.#buffer.length < 2 ? undefined : this.#buffer.readUInt16BE(0)
      if (length !== undefined && this.#buffer.length >= 2 + length) {
        const message = this.#buffer.subarray(2, 2 + length)
        this.#buffer = this.#buffer.subarray(2 + length)
        return Buffer.from(message)
      }
      if (this.#ended) return undefined
      await new Promise<void>((wake) => {
        this.#wake = wake
      })
    }
  }

  close(): void {
    this.socket.destroy()
  }
}
