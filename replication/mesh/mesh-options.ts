import type { ClusterId, Emitter, Log, Runtime, State } from '../../core/index.ts'
import type { MeshSelf } from './mesh-plan.ts'
import type { MeshStatus } from './mesh-status.ts'
import type { NetworkControl, Tunnel } from './ports.ts'

export interface MeshOptions {
  readonly cluster: ClusterId
  readonly self: MeshSelf
  /** 32 bytes. */
  readonly privateKey: Uint8Array
  readonly interface: string
  readonly state: State
  readonly runtime: Pick<Runtime, 'now' | 'monotonic' | 'after' | 'random'>
  readonly log: Log
  openNetwork(): Promise<NetworkControl>
  openTunnel(network: NetworkControl): Promise<Tunnel>
  /** Addresses of a name, of both families. */
  resolve(name: string): Promise<readonly string[]>
  /** Addresses of the interfaces of this machine. */
  localAddresses(): readonly string[]
}

export interface MeshEvents {
  /** Whom this node reaches, or how its tunnel is, may be another. */
  change: MeshStatus
}

/** A running mesh: the tunnels of this node as the state has them, for as long as it is not disposed. */
export interface Mesh extends AsyncDisposable {
  /** This node's own address in it. */
  readonly address: string
  readonly events: Emitter<MeshEvents>
  /** Resolves when the tunnel was opened, or could not be for the first time. */
  readonly tried: Promise<void>
  /** The state is another; several at once are one change. */
  follow(state: State): void
  /** Mesh addresses of other members, by the last state that was followed. */
  addresses(): ReadonlySet<string>
  status(): MeshStatus
  /** Its end, which is to follow, leaves interface, sessions and filter to the next daemon. */
  handOver(): void
}
