import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { encode, streamEncode } from 'dns-packet'
import { inTime } from '../../support/in-time.ts'
import { RelentlessClient } from './relentless-client.ts'

/** Far longer than an answer takes on a machine with much else to do: what has not come by then does not come. */
const LOST_MS = 10_000

export interface RelentlessAskerOptions {
  readonly port: number
  readonly name: string
  /** This machine unless it says otherwise. */
  readonly address?: string
  /** After each answer. */
  readonly pauseMs?: number
  /** `tcp`: a connection for each question. `udp`: another port for each, so that each may be another worker's. */
  readonly transport: 'udp' | 'tcp'
}

/** Asks a name server one question after the other, until stopped; none is asked again. */
export class RelentlessAsker extends RelentlessClient {
  readonly #options: RelentlessAskerOptions
  #id = 0

  constructor(options: RelentlessAskerOptions) {
    super()
    this.#options = options
    this.pauseMs = options.pauseMs ?? 0
    this.begin()
  }

  protected override async converse(): Promise<void> {
    const ask = this.#options.transport === 'udp' ? askUdp : askTcp
    this.#id = (this.#id + 1) % 65_536
    await ask(this.#options, this.#id)
    await this.answered()
  }
}

const question = (id: number, name: string) => ({
  type: 'query' as const,
  id,
  questions: [{ name, type: 'SOA' as const }],
})

async function askUdp({ port, name, address = '127.0.0.1' }: RelentlessAskerOptions, id: number): Promise<void> {
  const socket = createSocket('udp4')
  try {
    const answered = once(socket, 'message', { signal: AbortSignal.timeout(LOST_MS) })
    socket.send(encode(question(id, name)), port, address)
    await answered
  } finally {
    socket.close()
  }
}

async function askTcp({ port, name, address = '127.0.0.1' }: RelentlessAskerOptions, id: number): Promise<void> {
  const socket = connect({ port, host: address, noDelay: true })
  try {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    socket.on('data', () => resolve())
    socket.on('error', (error: NodeJS.ErrnoException) => reject(new Error(`${error.syscall} ${error.code}`)))
    socket.on('close', () => reject(new Error('closed without an answer')))
    socket.write(streamEncode(question(id, name)))
    await inTime('an answer over TCP', promise)
  } finally {
    socket.destroy()
  }
}
