import { isIP } from 'node:net'
import type { Runtime } from '../../core/index.ts'
import type { Answer, NetworkAsk, NetworkServices } from '../guest-contract/index.ts'
import type { Direction, DomainBudget } from './domain-budget.ts'
import { toLookupCode } from './failure-codes.ts'
import type { Grant, Held } from './grant.ts'
import { readHost } from './host-name.ts'
import { HttpExchange } from './http-exchange.ts'
import { buildRequestHead } from './request-head.ts'
import { TcpConnection } from './tcp-connection.ts'

/** What one run of a guest may do. */
export interface SessionLimits {
  /** Connections and requests under way. */
  readonly maxOpen: number
  /** In each direction. */
  readonly maxBytes: number
}

/** What a session rests on. `begun` counts what was let through, `moved` bytes. */
export interface SessionPorts extends Omit<Grant, 'changed' | 'runtime'> {
  readonly domain: string
  readonly budget: DomainBudget
  readonly runtime: Pick<Runtime, 'after' | 'monotonic'>
  readonly begun: (what: 'connections' | 'requests' | 'lookups') => void
  readonly moved: (direction: Direction, bytes: number) => void
}

/** Of one answer. */
const MAX_READ_BYTES = 256 * 1024
/** Of the content of one request. */
const MAX_CONTENT_BYTES = 16 * 1024 * 1024
const MAX_WAIT_MS = 60_000
const MAX_WAITING = 1024

type Answering = { readonly header: Answer; readonly body?: Uint8Array }
type Wait = () => void

/**
 * The network of one run. Nothing that is asked is believed: it may come out of a process that was taken over. `close` ends all
 * that is left, bytes that were written a moment ago aside, and every ask that waits.
 */
export class OutgoingSession implements NetworkServices {
  readonly #ports: SessionPorts
  readonly #limits: SessionLimits
  readonly #grant: Grant
  readonly #held = new Map<number, Held>()
  readonly #waits = new Set<Wait>()
  readonly #closing = new AbortController()
  readonly #closed: () => void
  readonly #bytesLeft: Record<Direction, number>
  #lastId = 0

  /** `closed` is called once, by `close`. */
  constructor(limits: SessionLimits, ports: SessionPorts, closed: () => void) {
    this.#limits = limits
    this.#ports = ports
    this.#grant = { ...ports, changed: () => this.#wake() }
    this.#closed = closed
    this.#bytesLeft = { received: limits.maxBytes, sent: limits.maxBytes }
  }

  async answer(ask: NetworkAsk, body: Uint8Array): Promise<Answering> {
    if (this.#closing.signal.aborted) return fail('connection-aborted')
    try {
      return await this.#answer(ask, body)
    } catch (error) {
      // A mistake of ours, or an ask that is none: it ends nothing but itself.
      this.#ports.refused({ why: 'nonsense', what: String(error) })
      return fail('invalid-argument')
    }
  }

  close(): void {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    for (const held of this.#held.values()) held.release()
    this.#held.clear()
    this.#wake()
    this.#closed()
  }

  #answer(ask: NetworkAsk, body: Uint8Array): Promise<Answering> | Answering {
    switch (ask.ask) {
      case 'resolve':
        return this.#resolve(ask.name)
      case 'tcp-connect':
        return this.#connect(ask.address, ask.port)
      case 'http-send':
        return this.#send(ask, body)
      case 'tcp-ends': {
        return { header: this.#connection(ask.id)?.ends() ?? NOT_HERE }
      }
      case 'tcp-shutdown': {
        if (ask.how !== 'receive' && ask.how !== 'send' && ask.how !== 'both') return this.#nonsense('a shutdown')
        return { header: this.#connection(ask.id)?.shutdown(ask.how) ?? NOT_HERE }
      }
      case 'tcp-write':
        return this.#write(this.#connection(ask.id), body)
      case 'http-head':
        return { header: this.#exchange(ask.id)?.head() ?? NOT_HERE }
      case 'tcp-read':
        return this.#read(this.#connection(ask.id), ask.length, 'new-socket-limit')
      case 'http-read':
        return this.#read(this.#exchange(ask.id), ask.length, 'http-response-body-size')
      case 'wait':
        return this.#wait(ask.for, ask.mostMs)
      case 'close':
        this.#held.get(ask.id)?.release()
        this.#held.delete(ask.id)
        return { header: { done: true } }
      default:
        ask satisfies never
        return this.#nonsense('an ask')
    }
  }

  async #resolve(name: string): Promise<Answering> {
    const host = readHost(name)
    if (host.kind === 'refused') return this.#refuse('name', host.what, 'name-unresolvable', { host: name })
    if (host.kind === 'address') return { header: { addresses: [host.address] } }
    const place = this.#take({ host: host.name })
    if (typeof place === 'string') return fail(place === 'busy' ? 'new-socket-limit' : 'temporary-resolver-failure')
    this.#ports.begun('lookups')
    try {
      const resolution = await this.#ports.resolver.resolve(host.name, this.#closing.signal)
      if (resolution.kind !== 'addresses') {
        this.#ports.failed()
        return fail(toLookupCode(resolution).socket)
      }
      const addresses = resolution.addresses.filter((address) => this.#isAllowed(address, host.name))
      return addresses.length === 0 ? fail('access-denied') : { header: { addresses } }
    } finally {
      place()
    }
  }

  /** What a name may be told to have: at the port that is refused nowhere; each connection is judged again. */
  #isAllowed(address: string, host: string): boolean {
    const judgement = this.#ports.policy.judge({ address, port: 443, by: 'http' })
    if (judgement === undefined) return true
    this.#ports.refused({ ...judgement, address, host })
    return false
  }

  #connect(address: string, port: number): Answering {
    if (isIP(address) === 0 || !Number.isInteger(port) || port < 1 || port > 0xffff)
      return this.#nonsense('an address or a port')
    const judgement = this.#ports.policy.judge({ address, port, by: 'tcp' })
    if (judgement !== undefined) return this.#refuse(judgement.why, judgement.what, 'access-denied', { address, port })
    const place = this.#take({ address, port })
    if (typeof place === 'string') return fail('new-socket-limit')
    this.#ports.begun('connections')
    return { header: { id: this.#hold(new TcpConnection(address, port, this.#grant, place)) } }
  }

  #send({ request }: Extract<NetworkAsk, { ask: 'http-send' }>, content: Uint8Array): Answering {
    if (typeof request !== 'object' || request === null) return this.#nonsense('a request')
    const built = buildRequestHead(request, content.length)
    if (built.kind === 'refused')
      return built.why === undefined
        ? fail(built.error)
        : this.#refuse(built.why, built.what, built.error, { host: request.authority })
    if (content.length > MAX_CONTENT_BYTES) return fail('http-request-body-size')
    const { head } = built
    // An address is refused at once; a name when it is known what it means.
    if (head.host.kind === 'address') {
      const { address } = head.host
      const judgement = this.#ports.policy.judge({ address, port: head.port, by: 'http' })
      if (judgement !== undefined)
        return this.#refuse(judgement.why, judgement.what, 'destination-ip-prohibited', { address, port: head.port })
    }
    const target = { host: request.authority }
    if (content.length > this.#bytesLeft.sent)
      return this.#refuse('bytes', 'bytes sent', 'http-request-body-size', target)
    const place = this.#take(target)
    if (typeof place === 'string') return fail('connection-limit-reached')
    this.#ports.begun('requests')
    const paced = this.#moved('sent', content.length)
    const timeoutMs = isTime(request.timeoutMs) ? request.timeoutMs : undefined
    return { header: { id: this.#hold(new HttpExchange({ head, content, timeoutMs, paced }, this.#grant, place)) } }
  }

  async #write(connection: TcpConnection | undefined, body: Uint8Array): Promise<Answering> {
    if (connection === undefined) return { header: NOT_HERE }
    if (this.#bytesLeft.sent <= 0) return this.#refuse('bytes', 'bytes sent', 'access-denied', {})
    const header = connection.write(body.subarray(0, this.#bytesLeft.sent))
    if ('wrote' in header) await this.#moved('sent', header.wrote)
    return { header }
  }

  async #read(from: TcpConnection | HttpExchange | undefined, length: number, error: string): Promise<Answering> {
    if (from === undefined) return { header: NOT_HERE }
    if (!Number.isInteger(length) || length < 0) return this.#nonsense('a length')
    if (this.#bytesLeft.received <= 0) return this.#refuse('bytes', 'bytes received', error, {})
    const answering = from.read(Math.min(length, MAX_READ_BYTES, this.#bytesLeft.received))
    await this.#moved('received', answering.body?.length ?? 0)
    return answering
  }

  async #wait(wanted: Extract<NetworkAsk, { ask: 'wait' }>['for'], mostMs: number): Promise<Answering> {
    if (!Array.isArray(wanted) || wanted.length > MAX_WAITING) return this.#nonsense('a wait')
    const look = () =>
      [...wanted.entries()]
        // What is not here any more will not change: whoever asks learns so.
        .filter(([, { id, until }]) => this.#held.get(id)?.isReady(until === 'write' ? 'write' : 'read') ?? true)
        .map(([i]) => i)
    const atMs = this.#ports.runtime.monotonic()
    const endMs = atMs + (isTime(mostMs) ? Math.min(mostMs, MAX_WAIT_MS) : 0)
    for (;;) {
      const ready = look()
      const leftMs = endMs - this.#ports.runtime.monotonic()
      if (ready.length > 0 || leftMs <= 0 || this.#closing.signal.aborted) return { header: { ready } }
      await this.#change(leftMs)
    }
  }

  /** Counts bytes; resolves when the domain may go on. */
  async #moved(direction: Direction, bytes: number): Promise<void> {
    if (bytes === 0) return
    this.#bytesLeft[direction] -= bytes
    this.#ports.moved(direction, bytes)
    const { domain, budget, runtime } = this.#ports
    const endMs = runtime.monotonic() + budget.move(domain, direction, bytes)
    for (;;) {
      const leftMs = endMs - runtime.monotonic()
      if (leftMs <= 0 || this.#closing.signal.aborted) return
      await this.#change(leftMs)
    }
  }

  /** Resolves after so long, and earlier when something has changed. */
  async #change(mostMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.#ports.runtime.after(mostMs, resolve)
    this.#waits.add(resolve)
    await promise
    this.#waits.delete(resolve)
    cancel()
  }

  #wake(): void {
    for (const wake of this.#waits) wake()
  }

  #take(target: { host?: string; address?: string; port?: number }): (() => void) | 'busy' | 'rate' {
    const { domain, budget } = this.#ports
    const place = this.#held.size >= this.#limits.maxOpen ? 'busy' : budget.take(domain)
    if (typeof place === 'string') this.#ports.refused({ why: place, what: 'too many connections', ...target })
    return place
  }

  #hold(held: Held): number {
    const id = ++this.#lastId
    this.#held.set(id, held)
    return id
  }

  #connection(id: number): TcpConnection | undefined {
    const held = this.#held.get(id)
    return held instanceof TcpConnection ? held : undefined
  }

  #exchange(id: number): HttpExchange | undefined {
    const held = this.#held.get(id)
    return held instanceof HttpExchange ? held : undefined
  }

  #refuse(
    why: Parameters<Grant['refused']>[0]['why'],
    what: string,
    error: string,
    target: { host?: string; address?: string; port?: number },
  ): Answering {
    this.#ports.refused({ why, what, ...target })
    return fail(error)
  }

  #nonsense(what: string): Answering {
    return this.#refuse('nonsense', what, 'invalid-argument', {})
  }
}

const NOT_HERE: Answer = { error: 'invalid-state' }

const isTime = (ms: unknown): ms is number => typeof ms === 'number' && Number.isFinite(ms) && ms >= 0

const fail = (error: string): Answering => ({ header: { error } })
