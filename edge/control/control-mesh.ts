/** What a node says of its mesh. */
export interface NodeMeshStatus {
  /** Where WireGuard runs; null while there is no tunnel. */
  readonly kind: 'kernel' | 'userspace' | null
  /** How many other nodes answer it. */
  readonly seen: number
  /** Nodes that do not, since how many minutes, and whether they are heard of some other way; the first few. */
  readonly silent: readonly { readonly name: string; readonly minutes: number; readonly up: boolean }[]
  /** What cannot be as it should. */
  readonly troubles: readonly string[]
}

/** The mesh of the node that answers. */
export interface MeshReport {
  readonly interface: string
  readonly address: string
  readonly publicKey: string
  readonly port: number
  readonly kind: 'kernel' | 'userspace' | null
  readonly mtu: number | null
  readonly peers: readonly MeshPeerReport[]
}

/** Its tunnel to one node or external peer. */
export interface MeshPeerReport {
  readonly name: string
  readonly kind: 'node' | 'peer'
  readonly publicKey: string
  readonly address: string
  /** `host:port`; null while nobody knows. */
  readonly endpoint: string | null
  /** Null where there was none. */
  readonly handshakeAgeMs: number | null
  /** For how long it has not answered; null while it does. */
  readonly silentMs: number | null
  readonly receivedBytes: number
  readonly sentBytes: number
}
