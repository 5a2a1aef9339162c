import type {
  IpAddressFamily,
  IpSocketAddress,
  Network as WasiNetwork,
} from '@bytecodealliance/preview2-shim/interfaces/wasi-sockets-network'
import type {
  ShutdownType,
  TcpSocket as WasiTcpSocket,
} from '@bytecodealliance/preview2-shim/interfaces/wasi-sockets-tcp'
import { InputStream } from './input-stream.ts'
import { type Instance, Remote, Resource, refuseAnswer } from './instance.ts'
import { formatAddress, isConnectable, toSocketAddress } from './ip-address.ts'
import { refuse, toNetworkCode } from './network-code.ts'
import { OutputStream } from './output-stream.ts'
import { Pollable, READY } from './poll.ts'
import { TcpOptions } from './tcp-options.ts'
import { createTcpSink, createTcpSource, type TcpDirections } from './tcp-stream.ts'

/** `connecting` from `start-connect` on; `closed` after a connection that failed. There is no listening. */
type State =
  | { readonly kind: 'unbound' }
  | { readonly kind: 'connecting'; readonly remote: Remote }
  | {
      readonly kind: 'connected'
      readonly remote: Remote
      readonly directions: TcpDirections
      readonly local: IpSocketAddress
      readonly peer: IpSocketAddress
    }
  | { readonly kind: 'closed' }

/**
 * `tcp-socket` of wasi:sockets, for connections to others. Binding and listening are `access-denied`, `accept` is
 * `not-supported`. What the owner refuses comes out of `start-connect` or `finish-connect` by its code.
 */
export class TcpSocket extends Resource implements WasiTcpSocket {
  readonly #instance: Instance
  readonly #family: IpAddressFamily
  readonly #options = new TcpOptions()
  #state: State = { kind: 'unbound' }

  constructor(instance: Instance, family: IpAddressFamily) {
    super(instance)
    this.#instance = instance
    this.#family = family
  }

  startConnect(_: WasiNetwork, remoteAddress: IpSocketAddress): void {
    if (this.#state.kind !== 'unbound') refuse('invalid-state')
    if (!isConnectable(remoteAddress, this.#family)) refuse('invalid-argument')
    const { port } = remoteAddress.val
    const address =
      remoteAddress.tag === 'ipv4'
        ? formatAddress({ tag: 'ipv4', val: remoteAddress.val.address })
        : formatAddress({ tag: 'ipv6', val: remoteAddress.val.address })
    const { header } = this.#instance.ask({ ask: 'tcp-connect', address, port })
    if ('error' in header) {
      this.#state = { kind: 'closed' }
      refuse(toNetworkCode(header))
    }
    if (!('id' in header)) throw refuseAnswer('tcp-connect')
    this.#state = { kind: 'connecting', remote: new Remote(this.#instance, header.id) }
  }

  finishConnect(): [InputStream, OutputStream] {
    if (this.#state.kind !== 'connecting') return refuse('not-in-progress')
    const { remote } = this.#state
    const { header } = this.#instance.ask({ ask: 'tcp-ends', id: remote.id })
    if ('pending' in header) return refuse('would-block')
    if ('error' in header) {
      this.#state = { kind: 'closed' }
      remote.release()
      return refuse(toNetworkCode(header))
    }
    if (!('local' in header)) throw refuseAnswer('tcp-ends')
    const local = toSocketAddress(header.local)
    const peer = toSocketAddress(header.remote)
    if (local === undefined || peer === undefined) throw refuseAnswer('tcp-ends')
    const directions: TcpDirections = { isReceiving: true, isSending: true }
    this.#state = { kind: 'connected', remote, directions, local, peer }
    return [
      new InputStream(this.#instance, createTcpSource(this.#instance, remote, directions)),
      new OutputStream(this.#instance, createTcpSink(this.#instance, remote, directions)),
    ]
  }

  shutdown(how: ShutdownType): void {
    if (this.#state.kind !== 'connected') refuse('invalid-state')
    const { remote, directions } = this.#state
    const { header } = this.#instance.ask({ ask: 'tcp-shutdown', id: remote.id, how })
    if (how !== 'send') directions.isReceiving = false
    if (how !== 'receive') directions.isSending = false
    if ('error' in header) refuse(toNetworkCode(header))
  }

  localAddress(): IpSocketAddress {
    return this.#state.kind === 'connected' ? this.#state.local : refuse('invalid-state')
  }

  remoteAddress(): IpSocketAddress {
    return this.#state.kind === 'connected' ? this.#state.peer : refuse('invalid-state')
  }

  addressFamily(): IpAddressFamily {
    return this.#family
  }

  subscribe(): Pollable {
    return new Pollable(this.#instance, () =>
      this.#state.kind === 'connecting'
        ? { kind: 'owner', waiting: { id: this.#state.remote.id, until: 'write' } }
        : READY,
    )
  }

  startBind(): never {
    return refuse(this.#state.kind === 'unbound' ? 'access-denied' : 'invalid-state')
  }

  finishBind(): never {
    return refuse('not-in-progress')
  }

  startListen(): never {
    return refuse(this.#state.kind === 'unbound' ? 'access-denied' : 'invalid-state')
  }

  finishListen(): never {
    return refuse('not-in-progress')
  }

  accept(): never {
    return refuse('not-supported')
  }

  isListening(): boolean {
    return false
  }

  setListenBacklogSize(value: bigint): void {
    if (value === 0n) refuse('invalid-argument')
    if (this.#state.kind !== 'unbound') refuse('invalid-state')
  }

  keepAliveEnabled(): boolean {
    return this.#options.isKeptAlive
  }

  setKeepAliveEnabled(value: boolean): void {
    this.#options.isKeptAlive = value
  }

  keepAliveIdleTime(): bigint {
    return this.#options.get('keepAliveIdleNs')
  }

  setKeepAliveIdleTime(value: bigint): void {
    this.#options.set('keepAliveIdleNs', value)
  }

  keepAliveInterval(): bigint {
    return this.#options.get('keepAliveIntervalNs')
  }

  setKeepAliveInterval(value: bigint): void {
    this.#options.set('keepAliveIntervalNs', value)
  }

  keepAliveCount(): number {
    return Number(this.#options.get('keepAliveCount'))
  }

  setKeepAliveCount(value: number): void {
    this.#options.set('keepAliveCount', BigInt(value))
  }

  hopLimit(): number {
    return Number(this.#options.get('hopLimit'))
  }

  setHopLimit(value: number): void {
    this.#options.set('hopLimit', BigInt(value))
  }

  receiveBufferSize(): bigint {
    return this.#options.get('receiveBufferBytes')
  }

  setReceiveBufferSize(value: bigint): void {
    this.#options.set('receiveBufferBytes', value)
  }

  sendBufferSize(): bigint {
    return this.#options.get('sendBufferBytes')
  }

  setSendBufferSize(value: bigint): void {
    this.#options.set('sendBufferBytes', value)
  }

  protected override dropped(): void {
    if (this.#state.kind === 'connecting' || this.#state.kind === 'connected') this.#state.remote.release()
    this.#state = { kind: 'closed' }
  }
}
