/** An address of a byte stream's end. `host` is a name or an address in its own notation, IPv6 without brackets. */
export interface NetworkAddress {
  readonly host: string
  readonly port: number
}

/**
 * Where byte streams come from: TCP (`tcp-network.ts`), or the simulator's, in virtual time. One conformance suite
 * (`test/replication/gossip/network-conformance.ts`) runs on both.
 */
export interface Network {
  /**
   * Resolves when connections are taken; port 0 takes a free one. `failed` is called for what goes wrong later. Rejects
   * with MAKI_PORT_IN_USE or MAKI_CONFIG, nothing left open.
   */
  listen(
    at: NetworkAddress,
    accept: (connection: Connection) => void,
    failed: (error: Error) => void,
  ): Promise<Listener>
  /** Starts to connect; whether that succeeds is told to the connection's listener. Never throws. */
  connect(to: NetworkAddress): Connection
}

/** Takes connections until closed. */
export interface Listener {
  readonly address: NetworkAddress
  /** Takes no more; resolves when the connections that came in have ended too. */
  close(): Promise<void>
}

/** What a connection tells; never from within a call to it. */
export interface ConnectionListener {
  /** Bytes can travel. First, once; not called for a connection that never came up. */
  opened(): void
  /** Bytes as they came, in order, cut anywhere. Not called while reading is paused. */
  received(chunk: Uint8Array): void
  /** The other side sends no more. */
  ended(): void
  /** Something broke; `closed` follows. */
  failed(message: string): void
  /** Last, once, whatever the cause. */
  closed(): void
}

/** One byte stream in both directions. Bytes arrive in order and whole up to where it breaks. */
export interface Connection {
  /** The other side; undefined while it is not known. */
  readonly remote: NetworkAddress | undefined
  /** False when nothing that is written can arrive any more. */
  readonly writable: boolean
  /** Written and not taken by the network yet, bytes. */
  readonly queuedBytes: number
  /** To be called once, in the turn that made the connection. */
  attach(listener: ConnectionListener): void
  /** Queues bytes, which must not change afterwards. */
  write(bytes: Uint8Array): void
  /** Calls when nothing is queued any more; never when the connection breaks first. */
  onceDrained(call: () => void): void
  pause(): void
  resume(): void
  /** Sends what is queued, then closes. */
  close(): void
  /** Closes now; what is queued is lost. */
  destroy(): void
}
