import { refuse } from './network-code.ts'

/** Options with a number. */
export type TcpOption =
  | 'keepAliveIdleNs'
  | 'keepAliveIntervalNs'
  | 'keepAliveCount'
  | 'hopLimit'
  | 'receiveBufferBytes'
  | 'sendBufferBytes'

/** What is said where nothing was set: that of Linux. */
const USUAL: Readonly<Record<TcpOption, bigint>> = {
  keepAliveIdleNs: 7_200_000_000_000n,
  keepAliveIntervalNs: 75_000_000_000n,
  keepAliveCount: 9n,
  hopLimit: 64n,
  receiveBufferBytes: 65_536n,
  sendBufferBytes: 65_536n,
}

/** Options of a guest's socket: remembered and given back, without an effect on the connection, which is its owner's. */
export class TcpOptions {
  isKeptAlive = false
  readonly #set = new Map<TcpOption, bigint>()

  get(option: TcpOption): bigint {
    return this.#set.get(option) ?? USUAL[option]
  }

  /** Throws `invalid-argument` for 0. */
  set(option: TcpOption, value: bigint): void {
    if (value === 0n) refuse('invalid-argument')
    this.#set.set(option, value)
  }
}
