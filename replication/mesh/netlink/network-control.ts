import { constants } from 'node:os'
import { MakiError } from '../../../core/index.ts'
import type { Link, MeshFilter, NetworkControl } from '../ports.ts'
import { parseNetwork } from './ip-bytes.ts'
import { NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkError, NetlinkSocket } from './netlink-socket.ts'
import { removeFilter, setFilter, withoutFilters } from './packet-filter.ts'
import {
  addLink,
  addRoute,
  changeAddress,
  changeLink,
  deleteLink,
  findLink,
  findRoute,
  type LinkAddress,
  listAddresses,
  type NamedLink,
  type OtherRoute,
} from './routing.ts'

const SCOPE_UNIVERSE = 0
const { EPROTONOSUPPORT } = constants.errno

/**
 * The network of this machine through netlink, without another program; it takes CAP_NET_ADMIN to change it. Rejects with
 * MAKI_UNSUPPORTED where there is no netlink.
 */
export async function openNetworkControl(): Promise<NetworkControl> {
  using opened = new DisposableStack()
  const routes = opened.use(await NetlinkSocket.open(NETLINK_ROUTE))
  return new KernelNetwork(routes, opened.move())
}

class KernelNetwork implements NetworkControl {
  readonly #routes: NetlinkSocket
  readonly #owned: DisposableStack
  #filters: Promise<NetlinkSocket> | undefined

  constructor(routes: NetlinkSocket, owned: DisposableStack) {
    this.#routes = routes
    this.#owned = owned
  }

  async findLink(name: string): Promise<Link | undefined> {
    return await findLink(this.#routes, name)
  }

  async addWireGuardLink(name: string): Promise<void> {
    await addLink(this.#routes, name, 'wireguard')
  }

  async deleteLink(name: string): Promise<void> {
    await deleteLink(this.#routes, name)
  }

  async setLink(name: string, change: { readonly mtu?: number; readonly isUp?: boolean }): Promise<void> {
    await changeLink(this.#routes, (await this.#require(name)).index, change)
  }

  async setAddresses(name: string, addresses: readonly string[]): Promise<void> {
    const { index } = await this.#require(name)
    const wanted = addresses.map(parseNetwork)
    const isSame = (a: { bytes: Buffer; bits: number }, b: { bytes: Buffer; bits: number }) =>
      a.bits === b.bits && a.bytes.equals(b.bytes)
    const addMissing = async (): Promise<readonly LinkAddress[]> => {
      const has = await listAddresses(this.#routes, index)
      for (const address of wanted) {
        if (!has.some((one) => isSame(one, address))) await changeAddress(this.#routes, index, address, 'add')
      }
      return has
    }
    const others = (await addMissing()).filter(
      (one) => one.scope === SCOPE_UNIVERSE && !wanted.some((address) => isSame(one, address)),
    )
    for (const address of others) await changeAddress(this.#routes, index, address, 'remove')
    // With the first IPv4 address of a network all others of that network go.
    if (others.some(({ bytes }) => bytes.length === 4)) await addMissing()
  }

  async addRoutes(name: string, networks: readonly string[]): Promise<void> {
    const { index } = await this.#require(name)
    for (const network of networks) {
      const other = await addRoute(this.#routes, index, parseNetwork(network))
      if (other !== undefined) throw await this.#explainRoute(network, other)
    }
  }

  async findPathMtu(address: string): Promise<number | undefined> {
    const route = await findRoute(this.#routes, parseNetwork(address))
    if (route === undefined) return undefined
    if (route.mtu !== undefined && route.mtu > 0) return route.mtu
    return (await findLink(this.#routes, route.index))?.mtu
  }

  async setFilter(filter: MeshFilter): Promise<void> {
    await setFilter(await this.#openFilters(), filter)
  }

  async removeFilter(interfaceName: string): Promise<void> {
    try {
      await removeFilter(await this.#openFilters(), interfaceName)
    } catch (error) {
      // Where there can be none, none is left.
      if (!(error instanceof MakiError) || error.code !== 'MAKI_UNSUPPORTED') throw error
    }
  }

  [Symbol.dispose](): void {
    this.#owned.dispose()
  }

  /** When it is needed: a kernel without nftables has no such socket, and the mesh of nodes goes without. */
  #openFilters(): Promise<NetlinkSocket> {
    this.#filters ??= NetlinkSocket.open(NETLINK_NETFILTER).then(
      (socket) => this.#owned.use(socket),
      (error: unknown) => {
        this.#filters = undefined
        throw error instanceof NetlinkError && error.errno === EPROTONOSUPPORT ? withoutFilters(error) : error
      },
    )
    return this.#filters
  }

  async #explainRoute(network: string, { index }: OtherRoute): Promise<MakiError> {
    const link = index === undefined ? undefined : await findLink(this.#routes, index)
    const where = link === undefined ? 'another route' : `a route to ${link.name}`
    return new MakiError('MAKI_CONFLICT', `${where} has the network of the mesh, ${network}: it is left as it is`, {
      hint: `See it: ip -6 route show ${network}. Where nobody needs it: ip -6 route del ${network}${link === undefined ? '' : ` dev ${link.name}`}`,
    })
  }

  async #require(name: string): Promise<NamedLink> {
    const link = await findLink(this.#routes, name)
    if (link !== undefined) return link
    throw new MakiError('MAKI_NOT_FOUND', `there is no network interface ${name} any more`, {
      hint: 'It is made anew in a moment; somebody may have deleted it.',
    })
  }
}
