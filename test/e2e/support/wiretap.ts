import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type ListenOptions, type NetConnectOpts } from 'node:net'

/** A socket that passes everything on to another and keeps what went through, both ways. */
export interface Wiretap extends Disposable {
  /** Of its own socket, where that is TCP. */
  readonly port: number
  readonly connections: number
  heard(): Buffer
}

/** Resolves when it listens. */
export async function startWiretap(listen: ListenOptions, target: NetConnectOpts): Promise<Wiretap> {
  const heard: Buffer[] = []
  let connections = 0
  const server = createServer((client) => {
    connections += 1
    const node = connect(target)
    for (const [from, to] of [
      [client, node],
      [node, client],
    ] as const) {
      from.on('data', (chunk: Buffer) => heard.push(chunk))
      from.on('error', () => to.destroy())
      from.on('close', () => to.destroy())
      from.pipe(to)
    }
  })
  server.listen(listen)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port ?? 0,
    get connections() {
      return connections
    },
    heard: () => Buffer.concat(heard),
    [Symbol.dispose]: () => void server.close(),
  }
}
