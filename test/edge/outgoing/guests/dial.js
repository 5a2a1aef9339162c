// Opens a TCP connection (`/tcp/ADDRESS/PORT`, an IPv6 address as eight groups), sends a request of HTTP/1.0 over it and answers
// with the first bytes that came back; or asks for the addresses of a name (`/resolve/NAME`). A refusal is answered by its code.
import { instanceNetwork } from 'wasi:sockets/instance-network@0.2.12'
import { resolveAddresses } from 'wasi:sockets/ip-name-lookup@0.2.12'
import { createTcpSocket } from 'wasi:sockets/tcp-create-socket@0.2.12'

const decode = (bytes) => String.fromCharCode(...bytes)
const encode = (text) => new Uint8Array([...text].map((char) => char.charCodeAt(0)))

function toSocketAddress(text, port) {
  if (!text.includes(':')) return { tag: 'ipv4', val: { port, address: text.split('.').map(Number) } }
  const address = text.split(':').map((group) => Number.parseInt(group, 16))
  return { tag: 'ipv6', val: { port, flowInfo: 0, address, scopeId: 0 } }
}

function dial(text, port) {
  const remote = toSocketAddress(text, port)
  const socket = createTcpSocket(remote.tag)
  socket.startConnect(instanceNetwork(), remote)
  socket.subscribe().block()
  const [input, output] = socket.finishConnect()
  output.blockingWriteAndFlush(encode('GET / HTTP/1.0\r\n\r\n'))
  return decode(input.blockingRead(12))
}

function resolve(name) {
  const stream = resolveAddresses(instanceNetwork(), name)
  const found = []
  for (;;) {
    stream.subscribe().block()
    const address = stream.resolveNextAddress()
    if (address === undefined || address === null) return found.join(' ')
    found.push(
      address.tag === 'ipv4' ? address.val.join('.') : address.val.map((group) => group.toString(16)).join(':'),
    )
  }
}

export const handler = {
  handleRequest(_, { path }) {
    const [, what, where, port] = decodeURIComponent(path).split('/')
    const answer = (text) => ({ status: 200, headers: [], body: encode(text) })
    try {
      return answer(what === 'tcp' ? dial(where, Number(port)) : resolve(where))
    } catch (error) {
      const payload = error?.payload ?? error
      return answer(typeof payload === 'string' ? payload : (payload?.tag ?? String(error)))
    }
  },
}
