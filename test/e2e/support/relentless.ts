import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { RelentlessClient } from './relentless-client.ts'

export interface RelentlessOptions {
  readonly port: number
  readonly host: string
  /** This machine unless it says otherwise. */
  readonly address?: string
  /** After each answer. */
  readonly pauseMs?: number
  /** A connection for each request, or the same for as long as the server lets it be. */
  readonly connections: 'new' | 'kept'
  /** Whom the server's certificate must come from (PEM), over TLS; in clear without it. */
  readonly ca?: string | undefined
}

/**
 * Asks for `/` again and again as fast as it is answered, until stopped. A client that keeps its connection goes on with
 * another one when an answer said that it would be closed: all else that ends a connection is a failure.
 */
export class Relentless extends RelentlessClient {
  readonly #options: RelentlessOptions

  constructor(options: RelentlessOptions) {
    super()
    this.#options = options
    this.pauseMs = options.pauseMs ?? 0
    this.begin()
  }

  /** One connection, from its beginning to its end. */
  protected override async converse(): Promise<void> {
    const { port, host, connections, ca, address = '127.0.0.1' } = this.#options
    const to = { port, host: address, noDelay: true }
    const socket =
      ca === undefined ? connect(to) : connectTls({ ...to, ca, servername: host, ALPNProtocols: ['http/1.1'] })
    try {
      const reader = new AnswerReader(socket)
      for (let mayAsk = true; mayAsk && !this.isStopped; ) {
        const close = connections === 'new' ? 'connection: close\r\n' : ''
        socket.write(`GET / HTTP/1.1\r\nhost: ${host}\r\n${close}\r\n`)
        const { status, isLast } = await reader.next()
        if (status !== 200) throw new Error(`status ${status}`)
        await this.answered()
        mayAsk = connections === 'kept' && !isLast
      }
    } finally {
      socket.destroy()
    }
  }
}

/** Takes answers with a Content-Length, one after the other. */
class AnswerReader {
  #text = ''
  #fault: Error | undefined
  #tell = () => {}

  constructor(socket: Socket) {
    const fail = (error: Error) => {
      this.#fault ??= error
      this.#tell()
    }
    socket.on('data', (piece) => {
      this.#text += piece.toString('latin1')
      this.#tell()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => fail(new Error(`${error.syscall} ${error.code}`)))
    socket.on('close', () => fail(new Error('closed without an answer')))
  }

  async next(): Promise<{ readonly status: number; readonly isLast: boolean }> {
    for (;;) {
      const end = this.#text.indexOf('\r\n\r\n')
      if (end !== -1) {
        const head = this.#text.slice(0, end)
        const length = end + 4 + Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0)
        if (this.#text.length >= length) {
          this.#text = this.#text.slice(length)
          return { status: Number(head.slice(9, 12)), isLast: /^connection: *close/im.test(head) }
        }
      }
      if (this.#fault !== undefined) throw this.#fault
      await new Promise<void>((done) => {
        this.#tell = done
      })
    }
  }
}
