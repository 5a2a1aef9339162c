import { BoundSocket } from 'node:net'
import { listenError } from '../../edge/index.ts'
import { formatListenAddress, type ListenAddress } from '../config/index.ts'

/** Where a worker finds the first of the sockets that it inherits: behind the standard streams and the channel to control. */
export const FIRST_SOCKET_FD = 4

const NO_IPV6 = ['EAFNOSUPPORT', 'EADDRNOTAVAIL']

/**
 * A listening socket of one worker's place, which control holds open beside the worker and never accepts from: when
 * the worker dies, who waits in its queue waits for the next one, instead of being cut off (a socket of SO_REUSEPORT that
 * closes resets all that it has not accepted).
 */
export class WorkerSocket implements Disposable {
  readonly fd: number
  readonly address: ListenAddress
  readonly #socket: BoundSocket

  /** `::` becomes `0.0.0.0` where there is no IPv6. Throws MAKI_PORT_IN_USE or MAKI_CONFIG. */
  constructor({ host, port }: ListenAddress) {
    this.#socket = bind(host, port)
    this.fd = this.#socket.fd()
    const { address, port: bound } = this.#socket.address() as { address: string; port: number }
    this.address = { host: address, port: bound }
  }

  /** Closes it here; it ends when no worker has it any more. */
  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]()
  }
}

function bind(host: string, port: number): BoundSocket {
  try {
    return new BoundSocket({ host, port, reusePort: true })
  } catch (error) {
    if (host === '::' && NO_IPV6.includes((error as NodeJS.ErrnoException).code ?? '')) return bind('0.0.0.0', port)
    throw listenError(error as NodeJS.ErrnoException, formatListenAddress({ host, port }))
  }
}
