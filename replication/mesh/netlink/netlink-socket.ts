import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { MakiError } from '../../../core/index.ts'
import {
  decodeMessages,
  encodeMessage,
  type NetlinkMessage,
  NLM_ACK,
  NLM_DUMP,
  NLM_DUMP_INTERRUPTED,
  NLM_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  readFault,
} from './message.ts'

/** Protocols of netlink(7). */
export const NETLINK_ROUTE = 0
export const NETLINK_NETFILTER = 12
export const NETLINK_GENERIC = 16

/** A request without what the socket knows better. */
export type NetlinkRequest = Pick<NetlinkMessage, 'type' | 'flags' | 'body'>

const AF_NETLINK = 16
const SOCK_RAW = 3
const SOCK_CLOEXEC = 0o2000000
const SOL_NETLINK = 270
const NETLINK_CAP_ACK = 10
const NETLINK_EXT_ACK = 11
const MSG_DONTWAIT = 0x40
const MSG_TRUNC = 0x20
const POLLIN = 1
const ADDRESS_BYTES = 12
/** What the kernel puts into one datagram at most (NLMSG_GOODSIZE is less). */
const RECEIVE_BYTES = 256 * 1024
/** An answer is waited for so often, a millisecond each with others' work between. */
const MAX_WAITS = 5_000
const WAIT_MS = 1
const MAX_RETRIES = 5

const { EAGAIN, EINTR, EPERM, ENOBUFS } = constants.errno

/** The kernel refused a request. */
export class NetlinkError extends MakiError {
  readonly errno: number

  constructor(errno: number, text: string | undefined) {
    const name = Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? `error ${errno}`
    const isForbidden = errno === EPERM
    super(
      isForbidden ? 'MAKI_CONFIG' : 'MAKI_INTERNAL',
      `the kernel refuses a change of its network: ${name}${text === undefined ? '' : `, ${text}`}`,
      isForbidden ? { hint: 'It takes the capability CAP_NET_ADMIN: run as the unit makiatto.service does.' } : {},
    )
    this.errno = errno
  }
}

interface Calls {
  socket(family: number, type: number, protocol: number): number
  bind(fd: number, address: Buffer, length: number): number
  setsockopt(fd: number, level: number, name: number, value: Buffer, length: number): number
  send(fd: number, bytes: Buffer, length: bigint, flags: number): bigint
  recv(fd: number, bytes: Buffer, length: bigint, flags: number): bigint
  poll(sockets: Buffer, count: bigint, timeoutMs: number): number
  errno(): number
}

let calls: Promise<Calls> | undefined

/** A socket to a part of the kernel: one request after another, each with its answers. */
export class NetlinkSocket implements Disposable {
  readonly #calls: Calls
  readonly #buffer = Buffer.alloc(RECEIVE_BYTES)
  #fd: number
  #sequence = 0
  #last: Promise<unknown> = Promise.resolve()

  private constructor(calls: Calls, fd: number) {
    this.#calls = calls
    this.#fd = fd
  }

  /** Rejects with MAKI_UNSUPPORTED where there is no netlink (not Linux, no `node:ffi`, forbidden by the unit). */
  static async open(protocol: number): Promise<NetlinkSocket> {
    calls ??= loadCalls()
    const system = await calls.catch((cause: unknown) => {
      calls = undefined
      throw new MakiError('MAKI_UNSUPPORTED', 'the network of this machine cannot be changed from here', {
        cause,
        hint: 'WireGuard between nodes is for Linux. Elsewhere: maki dev, or --no-wireguard.',
      })
    })
    const fd = system.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)
    if (fd < 0) throw new NetlinkError(system.errno(), 'no socket to it')
    const address = Buffer.alloc(ADDRESS_BYTES)
    address.writeUInt16LE(AF_NETLINK)
    if (system.bind(fd, address, ADDRESS_BYTES) < 0) {
      const errno = system.errno()
      closeSync(fd)
      throw new NetlinkError(errno, 'no socket to it')
    }
    // Words for what is wrong; older kernels have none.
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK])
      system.setsockopt(fd, SOL_NETLINK, option, Buffer.from([1, 0, 0, 0]), 4)
    return new NetlinkSocket(system, fd)
  }

  /** The answers to a request; with NLM_DUMP all of them, of one moment. Rejects with NetlinkError where it is refused. */
  async request(request: NetlinkRequest): Promise<readonly NetlinkMessage[]> {
    return await this.#inTurn(async () => {
      for (let tries = 1; ; tries++) {
        const { answers, isTorn } = await this.#exchange([request])
        if (!isTorn) return answers
        if (tries > MAX_RETRIES)
          throw new MakiError('MAKI_TIMEOUT', 'netlink: the network changes faster than it can be listed')
      }
    })
  }

  /** Sends all in one datagram; resolves when each that asks for it (NLM_ACK) is done. */
  async batch(requests: readonly NetlinkRequest[]): Promise<void> {
    await this.#inTurn(() => this.#exchange(requests, true))
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) closeSync(this.#fd)
    this.#fd = -1
  }

  /** struct pollfd. */
  #pollSet(): Buffer {
    const bytes = Buffer.alloc(8)
    bytes.writeInt32LE(this.#fd, 0)
    bytes.writeInt16LE(POLLIN, 4)
    return bytes
  }

  #inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(act)
    this.#last = turn.catch(() => {})
    return turn
  }

  async #exchange(
    requests: readonly NetlinkRequest[],
    isBatch = false,
  ): Promise<{ answers: readonly NetlinkMessage[]; isTorn: boolean }> {
    if (this.#fd < 0) throw new MakiError('MAKI_UNREACHABLE', 'netlink: the socket is closed')
    const open = new Set<number>()
    const sent = new Set<number>()
    const encoded = requests.map((request) => {
      this.#sequence = (this.#sequence + 1) >>> 0
      const sequence = this.#sequence
      const isAnswered = !isBatch || (request.flags & NLM_ACK) !== 0
      const isDump = (request.flags & NLM_DUMP) === NLM_DUMP && !isBatch
      const flags = request.flags | NLM_REQUEST | (isAnswered && !isDump ? NLM_ACK : 0)
      sent.add(sequence)
      if (isAnswered) open.add(sequence)
      return encodeMessage({ ...request, flags, sequence })
    })
    const bytes = Buffer.concat(encoded)
    if (this.#calls.send(this.#fd, bytes, BigInt(bytes.length), 0) < 0n)
      throw new NetlinkError(this.#calls.errno(), 'a request was not taken')
    const answers: NetlinkMessage[] = []
    let isTorn = false
    while (open.size > 0) {
      const messages = await this.#receive()
      for (const message of messages) {
        if (!sent.has(message.sequence)) continue
        if ((message.flags & NLM_DUMP_INTERRUPTED) !== 0) isTorn = true
        if (message.type !== NLMSG_ERROR && message.type !== NLMSG_DONE) {
          // The buffer is used again.
          answers.push({ ...message, body: Buffer.from(message.body) })
          continue
        }
        const { errno, text } = readFault(message)
        if (errno !== 0) throw new NetlinkError(errno, text)
        open.delete(message.sequence)
      }
    }
    return { answers, isTorn }
  }

  /** One datagram. What the kernel answers is there as soon as the request is taken, but for long dumps. */
  async #receive(): Promise<readonly NetlinkMessage[]> {
    for (let waits = 0; ; waits++) {
      const length = Number(this.#calls.recv(this.#fd, this.#buffer, BigInt(RECEIVE_BYTES), MSG_DONTWAIT | MSG_TRUNC))
      if (length > RECEIVE_BYTES) throw new MakiError('MAKI_TOO_LARGE', 'netlink: an answer that is too long')
      if (length >= 0) return decodeMessages(this.#buffer.subarray(0, length))
      const errno = this.#calls.errno()
      if (errno !== EAGAIN && errno !== EINTR) throw new NetlinkError(errno === 0 ? ENOBUFS : errno, 'no answer')
      if (waits >= MAX_WAITS) throw new MakiError('MAKI_TIMEOUT', 'netlink: the kernel does not answer')
      this.#calls.poll(this.#pollSet(), 1n, WAIT_MS)
      await new Promise((done) => setImmediate(done))
      if (this.#fd < 0) throw new MakiError('MAKI_UNREACHABLE', 'netlink: the socket is closed')
    }
  }
}

async function loadCalls(): Promise<Calls> {
  const { dlopen, getInt32 } = await import('node:ffi')
  const { functions } = dlopen('libc.so.6', {
    socket: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
    bind: { arguments: ['int32', 'buffer', 'uint32'], return: 'int32' },
    setsockopt: { arguments: ['int32', 'int32', 'int32', 'buffer', 'uint32'], return: 'int32' },
    send: { arguments: ['int32', 'buffer', 'uint64', 'int32'], return: 'int64' },
    recv: { arguments: ['int32', 'buffer', 'uint64', 'int32'], return: 'int64' },
    poll: { arguments: ['buffer', 'uint64', 'int32'], return: 'int32' },
    __errno_location: { arguments: [], return: 'pointer' },
  })
  const { socket, bind, setsockopt, send, recv, poll, __errno_location } = functions
  return { socket, bind, setsockopt, send, recv, poll, errno: () => getInt32(__errno_location()) }
}
