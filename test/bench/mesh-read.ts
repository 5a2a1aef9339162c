import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { MeshNode } from '../e2e/support/mesh-cluster.ts'
import { Child } from '../support/child.ts'

const run = promisify(execFile)
const PLAIN_PORT = 9100

/** A server on a node's host that sends so many bytes to whoever connects, at the node's mesh address; to be disposed of. */
export async function openPlainServer(
  { host, address }: MeshNode,
  bytes: number,
): Promise<AsyncDisposable & { readonly port: number }> {
  const [program, ...args] = [...host.wrapper, process.execPath, '-e', PLAIN_SERVER]
  const server = new Child(program as string, [...args, address, String(PLAIN_PORT), String(bytes)])
  await server.waitForLine((one) => one === 'listening')
  return { port: PLAIN_PORT, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

/** Milliseconds of a whole read by a program on that host. */
export async function readInMesh({ host }: MeshNode, url: string, bytes: number): Promise<number> {
  const [program, ...args] = [...host.wrapper, process.execPath, '-e', READER, url, String(bytes)]
  return Number((await run(program as string, args)).stdout)
}

const PLAIN_SERVER = `
const [, host, port, bytes] = process.argv
const body = require('node:crypto').randomBytes(Number(bytes))
const head = 'HTTP/1.1 200 OK\\r\\nContent-Length: ' + bytes + '\\r\\nConnection: close\\r\\n\\r\\n'
require('node:net').createServer((socket) => socket.once('data', () => { socket.write(head); socket.end(body) }))
  .listen({ host, port: Number(port) }, () => console.log('listening'))
`
const READER = `
const [, url, bytes] = process.argv
const begun = performance.now()
require('node:http').get(url, (response) => {
  let read = 0
  response.on('data', (chunk) => { read += chunk.length })
  response.on('end', () => {
    if (response.statusCode !== 200 || read !== Number(bytes)) throw new Error(response.statusCode + ', ' + read + ' bytes')
    console.log(performance.now() - begun)
  })
})
`
