import { Readable } from 'node:stream'
import type { Log, Runtime } from '../../core/index.ts'
import type { ControlBackend, ControlEvent } from './control-api.ts'

/** Under the minute after which proxies and firewalls commonly drop a silent connection. */
export const HEARTBEAT_MS = 15_000
/** A client that lags by more is cut; it reconnects and asks for what it missed. */
const MAX_BACKLOG_BYTES = 1024 * 1024

/** Sends events, as text, until the returned function is called; some at once, maybe. */
export type Subscribe = (send: (text: string) => void) => () => void

/** The open event streams of a server; closing it ends them all. */
export class EventStreams {
  readonly #open = new Set<Readable>()
  readonly #backend: ControlBackend
  readonly #log: Log
  readonly #runtime: Pick<Runtime, 'after'>

  constructor(ports: { backend: ControlBackend; log: Log; runtime: Pick<Runtime, 'after'> }) {
    this.#backend = ports.backend
    this.#log = ports.log
    this.#runtime = ports.runtime
  }

  get count(): number {
    return this.#open.size
  }

  /**
   * Server-sent events (WHATWG HTML section 9.2): every ControlEvent from now on, or what `subscribe` sends instead, and a
   * comment as a sign of life. Destroying the stream unsubscribes.
   */
  open(subscribe: Subscribe = (send) => this.#backend.subscribe((event) => send(formatEvent(event)))): Readable {
    const stream = new Readable({
      read() {},
      destroy: (error, done) => {
        this.#open.delete(stream)
        unsubscribe()
        cancel()
        done(error)
      },
    })
    // A cut client is told by the connection; here it is only kept from ending the process.
    stream.on('error', () => {})
    const send = (text: string) => {
      if (!this.#open.has(stream)) return
      if (stream.readableLength > MAX_BACKLOG_BYTES) {
        this.#log.warn('control.events-overrun', { bytes: stream.readableLength })
        stream.destroy(new Error('the client does not read'))
        return
      }
      stream.push(text)
    }
    const beat = () => {
      send(':\n\n')
      cancel = this.#runtime.after(HEARTBEAT_MS, beat)
    }
    let cancel = this.#runtime.after(HEARTBEAT_MS, beat)
    this.#open.add(stream)
    // Sends the head at once; a client that has it is subscribed.
    const unsubscribe = subscribe(send)
    send(':\n\n')
    return stream
  }

  close(): void {
    for (const stream of this.#open) stream.push(null)
    this.#open.clear()
  }
}

function formatEvent(event: ControlEvent): string {
  return `event: ${event.event}\ndata: ${JSON.stringify(event)}\n\n`
}
