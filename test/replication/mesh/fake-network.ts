import { MakiError, type WireGuardKey } from '../../../core/index.ts'
import type {
  Link,
  MeshFilter,
  NetworkControl,
  Tunnel,
  TunnelChange,
  TunnelPeer,
  TunnelStatus,
} from '../../../replication/mesh/ports.ts'

/** A machine of which only its network matters; what a test wants to go wrong does. */
export class FakeMachine {
  link: { mtu: number; isUp: boolean; addresses: readonly string[]; routes: readonly string[] } | undefined
  filter: MeshFilter | undefined
  hasNftables = true
  /** MTU of the way to an address. */
  path: (address: string) => number | undefined = () => 1500
  /** Why the next steps fail; asked before each. */
  fault: (step: string) => MakiError | undefined = () => undefined
  readonly steps: string[] = []
  tunnel: FakeTunnel | undefined
  opened = 0

  openNetwork = async (): Promise<NetworkControl> => {
    this.take('open-network')
    return new FakeNetwork(this)
  }

  openTunnel = async (publicKey: WireGuardKey, listenPort: number): Promise<Tunnel> => {
    this.take('open-tunnel')
    if (this.tunnel === undefined) {
      this.opened++
      this.link = { mtu: 1420, isUp: false, addresses: [], routes: [] }
      this.tunnel = new FakeTunnel(this, publicKey, listenPort)
    }
    this.tunnel.isHandedOver = false
    return this.tunnel
  }

  /** Somebody deletes the interface. */
  destroy(reason: string): void {
    const { tunnel } = this
    this.tunnel = undefined
    this.link = undefined
    tunnel?.end(reason)
  }

  take(step: string): void {
    this.steps.push(step)
    const fault = this.fault(step)
    if (fault !== undefined) throw fault
  }
}

class FakeNetwork implements NetworkControl {
  readonly #machine: FakeMachine

  constructor(machine: FakeMachine) {
    this.#machine = machine
  }

  async findLink(): Promise<Link | undefined> {
    const { link } = this.#machine
    return link === undefined ? undefined : { index: 7, mtu: link.mtu, isUp: link.isUp, kind: 'tun' }
  }
  async addWireGuardLink(): Promise<void> {
    throw new MakiError('MAKI_UNSUPPORTED', 'this kernel has no WireGuard')
  }
  async deleteLink(): Promise<void> {
    this.#machine.link = undefined
  }
  async setLink(_name: string, change: { mtu?: number; isUp?: boolean }): Promise<void> {
    this.#machine.take('set-link')
    Object.assign(this.#link(), change)
  }
  async setAddresses(_name: string, addresses: readonly string[]): Promise<void> {
    this.#machine.take('set-addresses')
    this.#link().addresses = addresses
  }
  async addRoutes(_name: string, networks: readonly string[]): Promise<void> {
    this.#machine.take('add-routes')
    this.#link().routes = [...new Set([...this.#link().routes, ...networks])]
  }
  async findPathMtu(address: string): Promise<number | undefined> {
    return this.#machine.path(address)
  }
  async setFilter(filter: MeshFilter): Promise<void> {
    this.#machine.take('set-filter')
    if (!this.#machine.hasNftables) throw new MakiError('MAKI_UNSUPPORTED', 'this kernel has no nftables')
    this.#machine.filter = filter
  }
  async removeFilter(): Promise<void> {
    this.#machine.filter = undefined
  }
  [Symbol.dispose](): void {}

  #link() {
    const { link } = this.#machine
    if (link === undefined) throw new MakiError('MAKI_UNREACHABLE', 'there is no such interface')
    return link
  }
}

/** A device whose peers answer when the test says so. */
export class FakeTunnel implements Tunnel {
  readonly kind = 'userspace'
  readonly interface = 'wawa0'
  readonly gone: Promise<string>
  readonly changes: TunnelChange[] = []
  isHandedOver = false
  readonly #machine: FakeMachine
  readonly #gone = Promise.withResolvers<string>()
  #status: TunnelStatus

  constructor(machine: FakeMachine, publicKey: WireGuardKey, listenPort: number) {
    this.gone = this.#gone.promise
    this.#machine = machine
    this.#status = { publicKey, listenPort, peers: [] }
  }

  get peers(): readonly TunnelPeer[] {
    return this.#status.peers
  }

  end(reason: string): void {
    this.#gone.resolve(reason)
  }

  /** A peer shakes hands, from where it is. */
  shake(publicKey: WireGuardKey, lastHandshakeMs: number, endpoint?: TunnelPeer['endpoint']): void {
    this.#edit(publicKey, (peer) => ({ ...peer, lastHandshakeMs, endpoint: endpoint ?? peer.endpoint }))
  }

  async status(): Promise<TunnelStatus> {
    this.#machine.take('status')
    if (this.#machine.tunnel !== this) throw new MakiError('MAKI_UNREACHABLE', 'the device is gone')
    return this.#status
  }

  async apply(change: TunnelChange): Promise<void> {
    this.#machine.take('apply')
    this.changes.push(change)
    for (const { publicKey, remove, ...rest } of change.peers ?? []) {
      if (remove) this.#status = { ...this.#status, peers: this.peers.filter((peer) => peer.publicKey !== publicKey) }
      else this.#edit(publicKey, (peer) => ({ ...peer, ...rest }))
    }
  }

  handOver(): void {
    this.isHandedOver = true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isHandedOver || this.#machine.tunnel !== this) return
    this.#machine.tunnel = undefined
    this.#machine.link = undefined
  }

  #edit(publicKey: WireGuardKey, edit: (peer: TunnelPeer) => TunnelPeer): void {
    const known = this.peers.find((peer) => peer.publicKey === publicKey)
    const fresh = { publicKey, endpoint: undefined, allowedIps: [], keepaliveSecs: 0, lastHandshakeMs: undefined }
    const edited = edit(known ?? { ...fresh, receivedBytes: 0, sentBytes: 0 })
    this.#status = { ...this.#status, peers: [...this.peers.filter((peer) => peer !== known), edited] }
  }
}
