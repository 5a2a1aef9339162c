import { asMakiError, type Log } from '../../core/index.ts'
import type { MeshPlan } from './mesh-plan.ts'
import type { NetworkControl, Tunnel } from './ports.ts'

export interface MeshDeviceOptions {
  readonly interface: string
  readonly log: Log
  /** A device of the name that another daemon left may be taken over. */
  openTunnel(network: NetworkControl): Promise<Tunnel>
}

/** A tunnel with its interface, addresses, routes and filter, as this machine has them. */
export class MeshDevice implements AsyncDisposable {
  readonly network: NetworkControl
  readonly tunnel: Tunnel
  readonly #options: MeshDeviceOptions
  #mtu: number | undefined
  /** Why packets are not filtered; undefined where they are. */
  #unfiltered: string | undefined
  #isHandedOver = false

  private constructor(options: MeshDeviceOptions, network: NetworkControl, tunnel: Tunnel) {
    this.#options = options
    this.network = network
    this.tunnel = tunnel
  }

  /** Up, with its address; nothing gets in before the filter is there. A start that fails leaves nothing new. */
  static async open(
    options: MeshDeviceOptions & { openNetwork(): Promise<NetworkControl> },
    plan: MeshPlan,
    mtu: number,
  ): Promise<MeshDevice> {
    await using opened = new AsyncDisposableStack()
    const network = opened.use(await options.openNetwork())
    const filtered = await setFilter(options.interface, network, plan)
    opened.defer(() => clear(options, network))
    const tunnel = opened.use(await options.openTunnel(network))
    const device = new MeshDevice(options, network, tunnel)
    device.#note(filtered)
    await device.shape(plan, mtu)
    opened.move()
    return device
  }

  get mtu(): number | undefined {
    return this.#mtu
  }

  get unfiltered(): string | undefined {
    return this.#unfiltered
  }

  /** Makes address, route and MTU what they are to be, and brings the interface up: whoever changed them by hand. */
  async shape({ address, network }: MeshPlan, mtu: number): Promise<void> {
    const { interface: name } = this.#options
    await this.network.setAddresses(name, [`${address}/128`])
    await this.network.setLink(name, { mtu, isUp: true })
    await this.network.addRoutes(name, [network])
    this.#mtu = mtu
  }

  /** Puts the filter where it is not any more: whoever loads rules of his own may begin with an empty set. */
  async filter(plan: MeshPlan): Promise<void> {
    this.#note(await setFilter(this.#options.interface, this.network, plan))
  }

  /** Its end, which is to follow, leaves all to who opens the same next. */
  handOver(): void {
    this.#isHandedOver = true
    this.tunnel.handOver()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { interface: name, log } = this.#options
    try {
      await this.tunnel[Symbol.asyncDispose]()
      // Last, so that nothing is let through between the two.
      if (!this.#isHandedOver) await this.#clearFilter()
    } catch (error) {
      log.warn('mesh.not-cleared', { interface: name, error: asMakiError(error) })
    } finally {
      this.network[Symbol.dispose]()
    }
  }

  /** Also where it could not be set last: what was set before may be there still. */
  async #clearFilter(): Promise<void> {
    try {
      await this.network.removeFilter(this.#options.interface)
    } catch (error) {
      if (this.#unfiltered === undefined) throw error
    }
  }

  #note(unfiltered: unknown): void {
    const reason = unfiltered === undefined ? undefined : asMakiError(unfiltered).message
    if (reason !== undefined && reason !== this.#unfiltered)
      this.#options.log.warn('mesh.unfiltered', { interface: this.#options.interface, error: asMakiError(unfiltered) })
    this.#unfiltered = reason
  }
}

/** What is wrong, where the filter cannot be set. */
async function setFilter(name: string, network: NetworkControl, plan: MeshPlan): Promise<unknown> {
  try {
    await network.setFilter({ interface: name, mesh: plan.network, peers: plan.peerNetwork })
    return undefined
  } catch (error) {
    return error
  }
}

/** Without an interface of the name there is nothing to filter. */
async function clear({ interface: name }: MeshDeviceOptions, network: NetworkControl): Promise<void> {
  // What was wrong before matters more.
  if ((await network.findLink(name).catch(() => undefined)) === undefined)
    await network.removeFilter(name).catch(() => {})
}
