import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { decode, encode } from 'dns-packet'
import type { KnownValues, Said } from './known-values.ts'

const BUFFER_BYTES = 4 * 1024 * 1024

interface Asked {
  readonly name: string
  /** The least value that is not wrong. */
  readonly oldest: number
}

/**
 * Asks over one UDP socket without a pause, so many questions under way at a time, each once: an answer that does not
 * come stays away. One socket is answered by one worker, so that it must never see a value and then an older one.
 */
export class DnsAsker implements AsyncDisposable {
  readonly #known: KnownValues
  readonly #pick: () => string
  readonly #socket: Socket
  readonly #asked = new Map<number, Asked>()
  readonly #seen = new Map<string, number>()
  readonly #wrong: string[] = []
  #next = 0
  #answered = 0
  #stopping = false
  #quiet = Promise.withResolvers<void>()

  private constructor(known: KnownValues, pick: () => string, socket: Socket) {
    this.#known = known
    this.#pick = pick
    this.#socket = socket
  }

  static async start(port: number, window: number, known: KnownValues, pick: () => string): Promise<DnsAsker> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: BUFFER_BYTES })
    socket.connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const asker = new DnsAsker(known, pick, socket)
    socket.on('message', (message) => asker.#take(message))
    for (let i = 0; i < window; i++) asker.#ask()
    return asker
  }

  get answered(): number {
    return this.#answered
  }

  /** What nobody should have been told. */
  get wrong(): readonly string[] {
    return this.#wrong
  }

  get underWay(): number {
    return this.#asked.size
  }

  /** Asks nothing more; resolves when all is answered, and never when an answer is lost. */
  async stop(): Promise<void> {
    this.#stopping = true
    if (this.#asked.size > 0) await this.#quiet.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true
    const closed = once(this.#socket, 'close')
    this.#socket.close()
    await closed
  }

  #ask(): void {
    const name = this.#pick()
    const id = this.#next
    this.#next = (this.#next + 1) % 65_536
    if (this.#asked.has(id)) throw new Error(`no answer came to one of the last 65536 questions`)
    this.#asked.set(id, { name, oldest: Math.max(this.#known.oldest(name), this.#seen.get(name) ?? 0) })
    this.#socket.send(encode({ type: 'query', id, questions: [{ name, type: 'A' }] }))
  }

  #take(message: Buffer): void {
    const answer = decode(message)
    const asked = this.#asked.get(answer.id ?? -1)
    if (asked === undefined || answer.questions?.[0]?.name !== asked.name) {
      this.#wrong.push(`an answer to no question: ${JSON.stringify(answer.questions)}`)
      return
    }
    this.#asked.delete(answer.id as number)
    this.#answered += 1
    const { name, oldest } = asked
    const said = sayOf(answer)
    const index = this.#known.find(name, oldest, said)
    if (index === undefined) this.#wrong.push(`${name} is ${said}, not one of its values from ${oldest} on`)
    else this.#seen.set(name, Math.max(index, this.#seen.get(name) ?? 0))
    if (!this.#stopping) this.#ask()
    else if (this.#asked.size === 0) this.#quiet.resolve()
  }
}

/** The address of a whole and authoritative answer, or its code. */
function sayOf(answer: ReturnType<typeof decode>): Said {
  const { rcode } = answer as { rcode?: string }
  if (rcode !== 'NOERROR') return rcode ?? 'no code'
  const records = answer.answers ?? []
  const [record] = records
  if (record === undefined) return 'no record'
  if (records.length > 1 || !answer.flag_aa || answer.flag_tc) return `${records.length} records, flags ${answer.flags}`
  return record.type === 'A' ? record.data : record.type
}
