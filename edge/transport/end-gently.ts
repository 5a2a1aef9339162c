import type { Socket } from 'node:net'
import type { Runtime } from '../../core/index.ts'

/** For a client to read what it was sent; the other way round it is a network away. */
const LINGER_MS = 2_000
/** For it to take what was written and still waits here: little more than one answer. */
const TAKE_MS = 60_000

/**
 * Ends a connection so that the client sees all that was sent (RFC 9112 section 9.6): says that nothing more comes, goes on
 * reading what is left to whoever reads there, and closes when the client does too, or two seconds after the last byte. A
 * connection that is closed while bytes come in is reset, and what was still on its way is lost. Who has not taken all of it
 * after a minute is cut.
 */
export function endGently(socket: Socket, runtime: Pick<Runtime, 'after'>): void {
  if (socket.destroyed) return
  let cancel = runtime.after(TAKE_MS, () => socket.destroy())
  socket.once('close', () => cancel())
  socket.end(() => {
    cancel()
    if (socket.destroyed) return
    if (socket.readableEnded) {
      socket.destroy()
      return
    }
    cancel = runtime.after(LINGER_MS, () => socket.destroy())
    socket.once('end', () => socket.destroy())
  })
}
