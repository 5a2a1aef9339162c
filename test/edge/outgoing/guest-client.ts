import { systemRuntime } from '../../../cli/system.ts'
import type { Answer, NetworkAsk, NetworkServices, OutgoingRequest } from '../../../edge/guest-contract/index.ts'
import type { AddressPolicy } from '../../../edge/outgoing/address-policy.ts'
import { createOutgoing, OUTGOING_LIMITS, type Outgoing, type OutgoingLimits } from '../../../edge/outgoing/outgoing.ts'

export interface Fetched {
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Buffer
}

/** Lets loopback be public, for tests of what comes after the policy. `refused` is what it does not allow all the same. */
export const loopbackPolicy = (...refused: string[]): AddressPolicy => ({
  judge: ({ address }) =>
    address.startsWith('127.') && !refused.includes(address) ? undefined : { why: 'address', what: 'for the test' },
})

/** For loopback, with other limits where a test needs them. */
export function openLoopback(
  limits: Partial<OutgoingLimits> = {},
  { policy = loopbackPolicy(), resolvers = ['127.0.0.1:9'], log = { warn() {} } }: LoopbackOptions = {},
): Outgoing {
  return createOutgoing({ runtime: systemRuntime, log, resolvers }, policy, { ...OUTGOING_LIMITS, ...limits })
}

interface LoopbackOptions {
  readonly policy?: AddressPolicy
  readonly resolvers?: readonly string[]
  readonly log?: { warn(event: string, data?: Record<string, unknown>): void }
}

/** Why the network said no: a code of WASI's. */
export class Refused extends Error {
  readonly code: string

  constructor(code: string) {
    super(code)
    this.code = code
  }
}

/** Uses a session as a guest's process does: one ask after another, each a plain value that crossed a pipe. */
export class GuestClient {
  readonly session: NetworkServices

  constructor(session: NetworkServices) {
    this.session = session
  }

  async ask(ask: NetworkAsk, body: Uint8Array = new Uint8Array(0)): Promise<{ header: Answer; body: Uint8Array }> {
    const answered = await this.session.answer(JSON.parse(JSON.stringify(ask)), body)
    return { header: JSON.parse(JSON.stringify(answered.header)), body: answered.body ?? new Uint8Array(0) }
  }

  /** The code of what was refused, or `open` with the connection closed again. */
  async tryConnect(address: string, port: number): Promise<string> {
    try {
      await this.ask({ ask: 'close', id: await this.connect(address, port) })
      return 'open'
    } catch (error) {
      return codeOf(error)
    }
  }

  async connect(address: string, port: number): Promise<number> {
    const { header } = await this.ask({ ask: 'tcp-connect', address, port })
    const id = idOf(header)
    await this.wait(id, 'write')
    refuseErrors((await this.ask({ ask: 'tcp-ends', id })).header)
    return id
  }

  async wait(id: number, until: 'read' | 'write', mostMs = 20_000): Promise<boolean> {
    const { header } = await this.ask({ ask: 'wait', for: [{ id, until }], mostMs })
    return 'ready' in header && header.ready.length === 1
  }

  /** The next bytes; undefined at the end. */
  async read(of: 'tcp-read' | 'http-read', id: number, length = 65_536): Promise<Uint8Array | undefined> {
    for (;;) {
      const { header, body } = await this.ask({ ask: of, id, length })
      refuseErrors(header)
      if (body.length > 0) return body
      if ('ended' in header && header.ended) return undefined
      await this.wait(id, 'read')
    }
  }

  async readAll(of: 'tcp-read' | 'http-read', id: number): Promise<Buffer> {
    const pieces: Uint8Array[] = []
    for (let piece = await this.read(of, id); piece !== undefined; piece = await this.read(of, id)) pieces.push(piece)
    return Buffer.concat(pieces)
  }

  async write(id: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const { header } = await this.ask({ ask: 'tcp-write', id }, bytes.subarray(at))
      refuseErrors(header)
      if ('wrote' in header && header.wrote > 0) at += header.wrote
      else await this.wait(id, 'write')
    }
  }

  async send(url: string, more: Partial<OutgoingRequest> = {}, body?: Uint8Array): Promise<number> {
    const [, scheme, authority = '', path = ''] = /^(https?):\/\/([^/]*)(.*)$/.exec(url) ?? []
    if (scheme !== 'http' && scheme !== 'https') throw new Error(`${url} is no URL of a test`)
    const request: OutgoingRequest = { method: 'GET', scheme, authority, path: path || '/', headers: [], ...more }
    return idOf((await this.ask({ ask: 'http-send', request }, body)).header)
  }

  async head(id: number): Promise<Omit<Fetched, 'body'>> {
    await this.wait(id, 'read')
    const { header } = await this.ask({ ask: 'http-head', id })
    refuseErrors(header)
    if ('status' in header) return header
    throw new Error(`no head: ${JSON.stringify(header)}`)
  }

  async fetch(url: string, more: Partial<OutgoingRequest> = {}, body?: Uint8Array): Promise<Fetched> {
    const id = await this.send(url, more, body)
    try {
      return { ...(await this.head(id)), body: await this.readAll('http-read', id) }
    } finally {
      await this.ask({ ask: 'close', id })
    }
  }

  /** Status and content, or the code of what was refused. */
  async tryFetch(url: string, more: Partial<OutgoingRequest> = {}): Promise<string> {
    try {
      const { status, body } = await this.fetch(url, more)
      return `${status} ${body.toString()}`
    } catch (error) {
      return codeOf(error)
    }
  }

  async resolve(name: string): Promise<string> {
    const { header } = await this.ask({ ask: 'resolve', name })
    return 'addresses' in header ? header.addresses.join(' ') : 'error' in header ? header.error : '?'
  }
}

function refuseErrors(header: Answer): void {
  if ('error' in header) throw new Refused(header.error)
}

function idOf(header: Answer): number {
  refuseErrors(header)
  if ('id' in header) return header.id
  throw new Error(`no id: ${JSON.stringify(header)}`)
}

export function codeOf(error: unknown): string {
  if (error instanceof Refused) return error.code
  throw error
}
