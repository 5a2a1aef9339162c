import { isIPv6 } from 'node:net'
import type { NetworkControl } from './ports.ts'

/** What WireGuard puts around a packet: its own 32 bytes, UDP's 8, and the header of IPv6 or IPv4. */
const OVERHEAD_IPV6 = 80
const OVERHEAD_IPV4 = 60
/** What IPv6 asks of every link (RFC 8200 section 5), and what passes through an Internet of 1500 by either family. */
const LEAST_MTU = 1280
const USUAL_MTU = 1420
/** Routes change when a server gets a family, or loses one. */
const KNOWN_MS = 10_000

/** A way to an endpoint: its family, and the MTU of the interface that packets leave by. */
export interface UnderlayPath {
  readonly isIPv6: boolean
  readonly mtu: number
}

/** The MTU of the mesh's interface: what fits through the least of the ways, and never more than the Internet carries. Pure. */
export function chooseMtu(paths: readonly UnderlayPath[]): number {
  const inner = paths.map(({ isIPv6, mtu }) => mtu - (isIPv6 ? OVERHEAD_IPV6 : OVERHEAD_IPV4))
  return Math.max(LEAST_MTU, Math.min(USUAL_MTU, ...inner))
}

/** What the routes of this machine say of addresses, for ten seconds. */
export class Underlay {
  readonly #known = new Map<string, { readonly mtu: number | undefined; readonly atMs: number }>()

  /** Learns what it does not know of these; forgets others. */
  async learn(
    addresses: readonly string[],
    network: Pick<NetworkControl, 'findPathMtu'>,
    nowMs: number,
  ): Promise<void> {
    const wanted = new Set(addresses)
    for (const address of this.#known.keys()) if (!wanted.has(address)) this.#known.delete(address)
    for (const address of wanted) {
      const known = this.#known.get(address)
      if (known !== undefined && nowMs - known.atMs < KNOWN_MS) continue
      // An address that the kernel takes for none leads nowhere.
      const mtu = await network.findPathMtu(address).catch(() => undefined)
      this.#known.set(address, { mtu, atMs: nowMs })
    }
  }

  /** True also for what nobody has asked about yet. */
  hasRoute(address: string): boolean {
    const known = this.#known.get(address)
    return known === undefined || known.mtu !== undefined
  }

  get paths(): readonly UnderlayPath[] {
    return [...this.#known].flatMap(([address, { mtu }]) => (mtu === undefined ? [] : { isIPv6: isIPv6(address), mtu }))
  }
}
