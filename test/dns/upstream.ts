import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type Answer, decode, encode, TRUNCATED_RESPONSE } from 'dns-packet'
import { frame } from './dns-client.ts'

/** What the upstream says of a name: addresses with their TTL, an error, nothing, or bytes that are no DNS. */
export type Said =
  | { readonly addresses: readonly string[]; readonly ttl?: number; readonly chain?: readonly string[] }
  | { readonly rcode: 'NXDOMAIN' | 'SERVFAIL' | 'REFUSED' }
  | 'silent'
  | 'garbage'

/** A resolver on loopback, UDP and TCP, that says what the test has it say; a name that was not set does not exist. */
export class Upstream implements AsyncDisposable {
  readonly port: number
  readonly asked: string[] = []
  readonly #names = new Map<string, Said>()
  readonly #udp: ReturnType<typeof createSocket>
  readonly #tcp: ReturnType<typeof createServer>
  readonly #sockets = new Set<Socket>()

  private constructor(udp: ReturnType<typeof createSocket>, tcp: ReturnType<typeof createServer>) {
    this.#udp = udp
    this.#tcp = tcp
    this.port = udp.address().port
    udp.on('error', () => {})
    udp.on('message', (message, from) => {
      const answer = this.#answer(message, 512)
      if (answer !== undefined) udp.send(answer, from.port, from.address)
    })
    tcp.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket))
      let received: Buffer = Buffer.alloc(0)
      socket.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk])
        while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
          const end = 2 + received.readUInt16BE(0)
          const answer = this.#answer(received.subarray(2, end), 65_535)
          received = received.subarray(end)
          if (answer !== undefined) socket.write(frame(answer))
        }
      })
    })
  }

  /** Port 0 takes one that is free for both. */
  static async start(port = 0): Promise<Upstream> {
    for (let tries = 0; ; tries++) {
      const udp = createSocket('udp4')
      udp.bind(port, '127.0.0.1')
      await once(udp, 'listening')
      const tcp = createServer()
      tcp.listen((udp.address() as AddressInfo).port, '127.0.0.1')
      try {
        await once(tcp, 'listening')
        return new Upstream(udp, tcp)
      } catch (error) {
        udp.close()
        if (tries === 20) throw error
      }
    }
  }

  set(name: string, said: Said): void {
    this.#names.set(name, said)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all([
      new Promise<void>((resolve) => this.#udp.close(() => resolve())),
      new Promise<void>((resolve) => this.#tcp.close(() => resolve())),
    ])
  }

  #answer(message: Buffer, maxBytes: number): Buffer | undefined {
    const query = decode(message)
    const question = query.questions?.[0]
    if (question === undefined) return undefined
    const { name, type } = question
    this.asked.push(`${name} ${type}`)
    const said = this.#names.get(name.toLowerCase()) ?? { rcode: 'NXDOMAIN' }
    if (said === 'silent') return undefined
    if (said === 'garbage')
      return Buffer.concat([message.subarray(0, 2), Buffer.from([0x81, 0x80, 0xff, 1, 0xff, 0xff])])
    const common = { type: 'response' as const, id: query.id ?? 0, questions: [question] }
    if ('rcode' in said) {
      const codes = { NXDOMAIN: 3, SERVFAIL: 2, REFUSED: 5 }
      return encode({ ...common, flags: 0x8180 | codes[said.rcode] })
    }
    const { addresses, ttl = 300, chain = [] } = said
    const family = type === 'AAAA' ? ':' : '.'
    const owners = [name, ...chain]
    const answers: Answer[] = chain.map((target, i) => ({ name: owners[i] ?? name, type: 'CNAME', ttl, data: target }))
    for (const data of addresses) {
      if ((type === 'A' || type === 'AAAA') && data.includes(family) && (type === 'AAAA' || !data.includes(':')))
        answers.push({ name: owners.at(-1) ?? name, type, ttl, data })
    }
    const bytes = encode({ ...common, flags: 0x8180, answers })
    return bytes.length <= maxBytes ? bytes : encode({ ...common, flags: 0x8180 | TRUNCATED_RESPONSE })
  }
}
