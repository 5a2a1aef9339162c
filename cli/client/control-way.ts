import { Agent, type AgentOptions } from 'node:http'
import type { Duplex } from 'node:stream'

/** Opens a stream to a server that speaks HTTP. */
export type OpenStream = () => Promise<Duplex>

/** How a control API is reached: by a socket of this computer, or by streams that somebody opens. */
export type ControlWay =
  | { readonly socketPath: string; readonly onDispose?: never }
  | {
      readonly socketPath?: never
      readonly open: OpenStream
      /** Nothing more is asked. */
      readonly onDispose?: () => void
    }

/** Connections are kept for the next request, and are as many as a command has use for. */
export function createControlAgent(way: ControlWay): Agent {
  const settings = { keepAlive: true, maxSockets: 8 }
  return way.socketPath === undefined ? new OpeningAgent(way.open, settings) : new Agent(settings)
}

/** HTTP over streams that somebody else opens, as over connections. */
class OpeningAgent extends Agent {
  readonly #open: OpenStream
  #opening = 0

  constructor(open: OpenStream, options: AgentOptions) {
    super(options)
    this.#open = open
    // Where no more can be open at once, one that is done makes room for one that waits.
    this.on('free', (socket: Duplex) => {
      if (this.#opening > 0) socket.destroy()
    })
  }

  override createConnection(_options: unknown, done?: (error: Error | null, stream: Duplex) => void): undefined {
    this.#opening++
    this.#open()
      .finally(() => this.#opening--)
      .then(
        (stream) => done?.(null, stream),
        (error: Error) => done?.(error, undefined as never),
      )
  }
}
