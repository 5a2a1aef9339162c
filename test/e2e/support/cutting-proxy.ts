/**
 * A way to a server that can be cut: `node cutting-proxy.ts LISTEN_HOST LISTEN_PORT HOST PORT`. Takes orders on standard
 * input, a line each, and answers each with a line:
 *
 *   count          `count BYTES CONNECTIONS`: what the visitor has sent so far, on how many connections
 *   cut            all connections end at once, and new ones too, until `heal`
 *   cut-after N    the same as soon as the visitor has sent N bytes more; `cut` is printed when it has come to that
 *   heal           connections go through again
 *
 * Ends with its standard input.
 */
import { createConnection, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

const [listenHost, listenPort, host, port] = process.argv.slice(2)
const open = new Set<Socket>()
let bytes = 0
let connections = 0
let isCut = false
let left = Number.POSITIVE_INFINITY

function cut(): void {
  isCut = true
  left = Number.POSITIVE_INFINITY
  for (const socket of open) socket.resetAndDestroy()
}

function join(from: Socket, to: Socket, look: (piece: Buffer) => void): void {
  open.add(from)
  from.on('data', (piece: Buffer) => {
    look(piece)
    if (isCut) return
    if (!to.write(piece)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => to.end())
  from.on('error', () => to.destroy())
  from.on('close', () => {
    open.delete(from)
    to.destroy()
  })
}

const server = createServer({ allowHalfOpen: true }, (visitor) => {
  if (isCut) {
    visitor.resetAndDestroy()
    return
  }
  connections++
  const target = createConnection({ host: host as string, port: Number(port), allowHalfOpen: true })
  join(visitor, target, (piece) => {
    bytes += piece.length
    left -= piece.length
    if (left > 0) return
    cut()
    console.log('cut')
  })
  join(target, visitor, () => {})
})

server.listen({ host: listenHost as string, port: Number(listenPort) }, () => console.log('ready'))

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const [order, argument] = line.split(' ')
    if (order === 'cut') cut()
    else if (order === 'cut-after') left = Number(argument)
    else if (order === 'heal') {
      isCut = false
      left = Number.POSITIVE_INFINITY
    }
    console.log(order === 'count' ? `count ${bytes} ${connections}` : `done ${order}`)
  })
  .on('close', () => process.exit(0))
