import { listNodes, type MemberKey, type State } from '../../core/index.ts'
import type { GossipService, Replica } from '../../replication/index.ts'
import { formatListenAddress, type ListenAddress } from '../config/index.ts'
import { isLocalCluster, refuseAddress } from '../health/index.ts'

export interface DialMembersOptions {
  readonly replica: Pick<Replica, 'state' | 'events'>
  readonly gossip: Pick<GossipService, 'address' | 'setAddresses'>
  /** Addresses of the configuration, which are dialled whatever the state says. */
  readonly bootstrap: readonly ListenAddress[]
  readonly self: MemberKey
  /** Every other node is dialled at its public addresses. */
  readonly atPublic: boolean
  /** Addresses of the others in the mesh, by the present state; none where there is no mesh. */
  readonly inMesh?: () => Iterable<string>
}

/** Where every node listens for gossip in the mesh. */
export const MESH_GOSSIP_PORT = 8787

/**
 * Dials every other node of the state, in the mesh, at its public addresses and the port of our own gossip, or at both, beside
 * `bootstrap`, and follows the state: new nodes and new addresses are dialled, removed ones no more.
 */
export class DialMembers implements Disposable {
  readonly #unsubscribe: () => void
  #dialled = ''

  constructor(options: DialMembersOptions) {
    const { replica, gossip, bootstrap, self, atPublic, inMesh = () => [] } = options
    const follow = (): void => {
      const members = atPublic ? listDialled(replica.state, { self, port: gossip.address.port }) : []
      const mesh = [...inMesh()].sort().map((host) => ({ host, port: MESH_GOSSIP_PORT }))
      const addresses = [...new Set([...bootstrap, ...mesh, ...members].map(formatListenAddress))]
      const said = addresses.join()
      if (said === this.#dialled) return
      this.#dialled = said
      gossip.setAddresses(addresses)
    }
    this.#unsubscribe = replica.events.on('change', follow)
    follow()
  }

  [Symbol.dispose](): void {
    this.#unsubscribe()
  }
}

/**
 * Whom to dial at public addresses: both of a node that has two, since either may be the one that works from here.
 * What an operation names as an address and is none, or leads nowhere but here, is left out. Pure.
 */
export function listDialled(state: State, { self, port }: { self: MemberKey; port: number }): readonly ListenAddress[] {
  const nodes = listNodes(state)
  const isLocal = isLocalCluster(nodes)
  return nodes
    .filter(({ key }) => key !== self)
    .flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6])
    .filter((host) => host !== null && refuseAddress(host, isLocal) === undefined)
    .map((host) => ({ host: host as string, port }))
}
