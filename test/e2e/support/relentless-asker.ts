import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { encode, streamEncode } from 'dns-packet'
import { inTime } from '../../support/in-time.ts'
import type { Met } from './relentless.ts'

/** Far longer than an answer takes on a machine with much else to do: what has not come by then does not come. */
const LOST_MS = 10_000

export interface RelentlessAskerOptions {
  readonly port: number
  readonly name: string
  /** `tcp`: a connection for each question. `udp`: another port for each, so that each may be another worker's. */
  readonly transport: 'udp' | 'tcp'
}

/** Asks a name server one question after the other, until stopped; none is asked again. */
export class RelentlessAsker {
  readonly met: Met = { answers: 0, failures: [] }
  readonly #options: RelentlessAskerOptions
  readonly #ended: Promise<void>
  #isStopped = false
  #heard: (() => void)[] = []

  constructor(options: RelentlessAskerOptions) {
    this.#options = options
    this.#ended = this.#run()
  }

  /** Resolves when so many more answers have come. */
  async moreAnswers(count: number): Promise<void> {
    const wanted = this.met.answers + count
    while (this.met.answers < wanted && !this.#isStopped) await new Promise<void>((done) => this.#heard.push(done))
  }

  async stop(): Promise<Met> {
    this.#isStopped = true
    await this.#ended
    return this.met
  }

  async #run(): Promise<void> {
    const ask = this.#options.transport === 'udp' ? askUdp : askTcp
    for (let id = 0; !this.#isStopped; id = (id + 1) % 65_536) {
      try {
        await ask(this.#options, id)
        this.met.answers++
      } catch (error) {
        this.met.failures.push(error instanceof Error ? error.message : String(error))
        await new Promise((done) => setImmediate(done))
      }
      for (const tell of this.#heard.splice(0)) tell()
    }
  }
}

const question = (id: number, name: string) => ({
  type: 'query' as const,
  id,
  questions: [{ name, type: 'SOA' as const }],
})

async function askUdp({ port, name }: RelentlessAskerOptions, id: number): Promise<void> {
  const socket = createSocket('udp4')
  try {
    const answered = once(socket, 'message', { signal: AbortSignal.timeout(LOST_MS) })
    socket.send(encode(question(id, name)), port, '127.0.0.1')
    await answered
  } finally {
    socket.close()
  }
}

async function askTcp({ port, name }: RelentlessAskerOptions, id: number): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
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
