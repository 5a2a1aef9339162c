import type { Socket } from 'node:net'
import type { Http1 } from '../http1.ts'

/**
 * Gives a connection to node:http, for good, with bytes that were read of it and are to be read again, before all that still
 * comes. Nobody else listens to it any more.
 */
export function handOver(socket: Socket, bytes: Buffer, http: Pick<Http1, 'serve'>): void {
  socket.pause()
  http.serve(socket)
  if (!socket.readableEnded) {
    socket.unshift(bytes)
    socket.resume()
    return
  }
  // The client has said that nothing more comes; what has been read of a stream to its end cannot be put back.
  socket.emit('data', bytes)
  socket.emit('end')
}
