import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { createServer as createHttp, type RequestListener } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { connect, type Socket } from 'node:net'
import { type Answer, decode, encode } from 'dns-packet'

/**
 * A machine of its own network: answers HTTP, HTTPS and DNS at all of its addresses, and says of each connection which of them
 * it came to, as a line of JSON. `probe` as first argument: says instead which addresses can be connected to from here.
 */

const [role = '', ...rest] = process.argv.slice(2)
const say = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`)

/** Addresses of names; those that flip have the first and then the second, and so on, and may not be kept. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  'good.example': ['1.2.3.4'],
  'good6.example': ['2a00:1::4'],
  'loop.example': ['127.0.0.1', '::1'],
  'metadata.example': ['169.254.169.254'],
  'mapped.example': ['::ffff:127.0.0.1', '::ffff:7f00:1'],
  'private.example': ['10.0.0.4', 'fd00:1::4'],
  'own.example': ['1.2.3.9'],
  'mixed.example': ['10.0.0.4', '127.0.0.1', '1.2.3.4'],
}
const FLIP = ['1.2.3.4', '127.0.0.1']

function serveDns(port: number): void {
  const socket = createSocket('udp4')
  let flips = 0
  socket.on('message', (message, from) => {
    const query = decode(message)
    const [question] = query.questions ?? []
    if (question === undefined) return
    const { name, type } = question
    const isFlip = name === 'flip.example'
    const addresses = isFlip ? [FLIP[(type === 'A' ? flips++ : 0) % 2] as string] : (NAMES[name] ?? [])
    const answers = addresses.flatMap((data): Answer[] => {
      if (type === 'A' && !data.includes(':')) return [{ name, type, ttl: 0, data }]
      return type === 'AAAA' && data.includes(':') && !data.includes('.') ? [{ name, type, ttl: 0, data }] : []
    })
    const answer = encode({ type: 'response', id: query.id ?? 0, flags: 0x8180, questions: [question], answers })
    socket.send(answer, from.port, from.address)
  })
  socket.bind(port)
}

function serve(certificate: string | undefined, key: string | undefined): void {
  const answer: RequestListener = (request, response) => {
    if (request.url === '/redirect') response.writeHead(302, { location: 'http://127.0.0.1:8000/' })
    if (request.url === '/end') say({ end: request.socket.localPort })
    response.end('reached')
  }
  const servers = [{ port: 8000, server: createHttp(answer) }]
  if (certificate !== undefined && key !== undefined)
    servers.push({
      port: 8443,
      server: createHttps({ cert: readFileSync(certificate), key: readFileSync(key) }, answer),
    })
  servers.push({ port: 80, server: createHttp(answer) }, { port: 25, server: createHttp(answer) })
  let waiting = servers.length
  for (const { port, server } of servers) {
    server.on('connection', (socket: Socket) => say({ to: socket.localAddress, port }))
    server.on('tlsClientError', () => {})
    server.listen(port, '::', () => {
      if (--waiting === 0) say('ready')
    })
  }
}

async function probe(addresses: readonly string[]): Promise<void> {
  for (const host of addresses) {
    const socket = connect({ host, port: 8000 })
    const reached = await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true))
      socket.on('error', () => resolve(false))
    })
    socket.destroy()
    say({ probed: host, reached })
  }
}

if (role === 'probe') await probe(rest)
else {
  serveDns(20_053)
  serve(rest[0], rest[1])
}
