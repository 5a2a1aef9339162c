import { type IncomingMessage, request as sendRequest } from 'node:http'
import type { Socket } from 'node:net'
import type { Answer } from '../guest-contract/index.ts'
import { ByteReader } from './byte-reader.ts'
import { connectTo, secure } from './connect-to.ts'
import { toLookupCode, toRequestCode } from './failure-codes.ts'
import type { Grant, Held } from './grant.ts'
import { type RequestHead, readResponseFields } from './request-head.ts'

/** Until the head of the response has come; a guest may want less. */
const MOST_HEAD_MS = 30_000
/** Of a response; it crosses to the guest in the header of one frame. */
const MAX_HEAD_BYTES = 16 * 1024
const MAX_FIELDS = 200
/** Of `100 Continue` and the like before a response. */
const MAX_INTERIM = 16

/** What is sent, and how long it may take. */
export interface Sending {
  readonly head: RequestHead
  readonly content: Uint8Array
  readonly timeoutMs: number | undefined
  /** Resolves when bytes may be sent. */
  readonly paced: Promise<void>
}

/**
 * One request over a connection of its own, from the look-up of its name on. The name is looked up once; every address that it
 * has is judged, and the connection goes to one that is allowed and to no other. Redirects are answers like others. Nothing is
 * decompressed.
 */
export class HttpExchange implements Held {
  readonly #grant: Grant
  readonly #closed: () => void
  readonly #giveUp = new AbortController()
  readonly #sockets: Socket[] = []
  #response: IncomingMessage | undefined
  #reader: ByteReader | undefined
  #failure: string | undefined
  #headIsTaken = false
  #at: Parameters<typeof toRequestCode>[1] = 'connecting'

  /** `closed` is called once, when nothing is left of it. */
  constructor(sending: Sending, grant: Grant, closed: () => void) {
    this.#grant = grant
    this.#closed = closed
    const mostMs = Math.min(sending.timeoutMs ?? MOST_HEAD_MS, MOST_HEAD_MS)
    const cancel = grant.runtime.after(mostMs, () => this.#fail('http-response-timeout'))
    void this.#exchange(sending)
      .catch((error: unknown) => this.#fail(toRequestCode(error, this.#at)))
      .finally(cancel)
  }

  isReady(until: 'read' | 'write'): boolean {
    if (until === 'write' || this.#failure !== undefined) return true
    return this.#reader !== undefined && (!this.#headIsTaken || this.#reader.isReady)
  }

  head(): Answer {
    const response = this.#response
    if (response === undefined) return this.#failure === undefined ? { pending: true } : { error: this.#failure }
    this.#headIsTaken = true
    return { status: response.statusCode ?? 0, headers: readResponseFields(response.rawHeaders) }
  }

  read(length: number): { header: Answer; body?: Uint8Array } {
    const body = this.#reader?.take(length)
    if (body !== undefined && body.length > 0) return { header: { ended: false }, body }
    if (this.#reader?.hasEnded === true) return { header: { ended: true } }
    if (this.#failure !== undefined) return { header: { error: this.#failure } }
    return { header: { ended: false } }
  }

  release(): void {
    this.destroy()
  }

  destroy(): void {
    this.#failure ??= 'connection-terminated'
    this.#end()
  }

  async #exchange({ head, content, paced }: Sending): Promise<void> {
    const addresses = await this.#allowed(head)
    if (addresses === undefined) return
    await paced
    if (this.#isOver) return
    const opened = (socket: Socket) => {
      this.#sockets.push(socket)
      if (this.#isOver) socket.destroy()
    }
    const plain = await connectTo(addresses, head.port, this.#grant.runtime, opened)
    const { remoteAddress: address = '' } = plain
    const judgement = this.#judge(address, head)
    if (judgement !== undefined) {
      this.#grant.refused({ ...judgement, address, port: head.port, host: nameOf(head) })
      return this.#fail('destination-ip-prohibited')
    }
    this.#at = 'securing'
    const socket = head.isSecure ? await secure(plain, head.host, this.#grant.runtime, opened) : plain
    this.#at = 'sent'
    await this.#send(head, content, socket)
  }

  /** Undefined where it failed. */
  async #allowed(head: RequestHead): Promise<readonly string[] | undefined> {
    const found = await this.#lookUp(head)
    if (found === undefined) return undefined
    const allowed: string[] = []
    for (const address of found) {
      const judgement = this.#judge(address, head)
      if (judgement === undefined) allowed.push(address)
      else this.#grant.refused({ ...judgement, address, port: head.port, host: nameOf(head) })
    }
    if (allowed.length > 0) return allowed
    this.#fail('destination-ip-prohibited')
    return undefined
  }

  async #lookUp({ host }: RequestHead): Promise<readonly string[] | undefined> {
    if (host.kind === 'address') return [host.address]
    const resolution = await this.#grant.resolver.resolve(host.name, this.#giveUp.signal)
    if (resolution.kind === 'addresses') return resolution.addresses
    this.#fail(toLookupCode(resolution).request)
    return undefined
  }

  #judge(address: string, { port }: RequestHead) {
    return this.#grant.policy.judge({ address, port, by: 'http' })
  }

  #send(head: RequestHead, content: Uint8Array, socket: Socket): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const { method, path, fields } = head
    const request = sendRequest({
      method,
      path,
      headers: fields,
      setHost: false,
      maxHeaderSize: MAX_HEAD_BYTES,
      insecureHTTPParser: false,
      createConnection: () => socket,
    })
    let interim = 0
    request.on('information', () => {
      if (++interim > MAX_INTERIM) this.#fail('http-protocol-error')
    })
    request.on('upgrade', () => this.#fail('http-upgrade-failed'))
    request.on('error', reject)
    request.on('close', () => {
      this.#end()
      resolve()
    })
    request.on('response', (response) => {
      response.on('error', (error) => this.#fail(toRequestCode(error, 'answered')))
      if (this.#isOver) return
      if (response.rawHeaders.length / 2 > MAX_FIELDS) return this.#fail('http-response-header-section-size')
      this.#at = 'answered'
      this.#response = response
      this.#reader = new ByteReader(response, this.#grant.changed)
      this.#grant.changed()
      resolve()
    })
    if (content.length > 0) request.end(content)
    else request.end()
    return promise
  }

  get #isOver(): boolean {
    return this.#failure !== undefined
  }

  #fail(code: string): void {
    if (this.#failure === undefined && code !== 'destination-ip-prohibited') this.#grant.failed()
    this.#failure ??= code
    this.#end()
  }

  #end(): void {
    this.#giveUp.abort()
    for (const socket of this.#sockets) socket.destroy()
    this.#closed()
    this.#grant.changed()
  }
}

const nameOf = ({ host }: RequestHead): string | undefined => (host.kind === 'name' ? host.name : undefined)
