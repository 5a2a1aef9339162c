import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import type { Log, Runtime, WireGuardKey } from '../../../core/index.ts'
import { openTunnel } from '../../../replication/mesh/open-tunnel.ts'
import type { NetworkControl, Tunnel } from '../../../replication/mesh/ports.ts'
import { wireGuardPublicKey } from '../../../replication/mesh/wireguard-public-key.ts'

const run = promisify(execFile)

/** Ours, and a WireGuard that is set up by `wg` alone, on another machine. */
export const OURS = 'wawa0'
export const OUR_PORT = 51880
const THEIRS = 'other0'
const THEIR_PORT = 40_404
const THERE = 'other'
/** Documentation networks for the cable (RFC 5737, RFC 3849); unique local addresses in the tunnel. */
export const CABLE = {
  ipv4: { here: '198.51.100.1', there: '198.51.100.2' },
  ipv6: { here: '2001:db8:51::1', there: '2001:db8:51::2' },
} as const
export const INSIDE = { here: 'fd77::1', there: 'fd77::2' } as const
const ECHO_PORT = 7007

/** What a conformance suite runs in: network namespaces, which whoever starts it has made (`tunnel-worlds.sh`). */
export interface World {
  readonly kind: Tunnel['kind']
  readonly runtime: Runtime
  readonly log: Log
  readonly network: NetworkControl
  /** `wireguard-go` of the tests. */
  readonly command: string
}

export const newKey = (): { privateKey: Uint8Array; publicKey: WireGuardKey } => {
  const privateKey = new Uint8Array(randomBytes(32))
  privateKey[0] = (privateKey[0] as number) & 248
  privateKey[31] = ((privateKey[31] as number) & 127) | 64
  return { privateKey, publicKey: wireGuardPublicKey(privateKey) }
}

export const textOf = (key: Uint8Array): string => Buffer.from(key).toString('base64')

/** Standard output; rejects with what the program said when it fails. */
export async function sh(...command: readonly string[]): Promise<string> {
  const [program, ...args] = command
  return (await run(program as string, args, { maxBuffer: 64 * 1024 * 1024 })).stdout
}

export const there = (...command: readonly string[]): Promise<string> => sh('ip', 'netns', 'exec', THERE, ...command)

export const openOurs = (world: World, privateKey: Uint8Array, listenPort = OUR_PORT): Promise<Tunnel> =>
  openTunnel({ ...world, interface: OURS, privateKey, listenPort })

/** The interface has its address and is up. */
export async function bringUp(): Promise<void> {
  await sh('ip', 'addr', 'replace', `${INSIDE.here}/64`, 'dev', OURS, 'nodad')
  await sh('ip', 'link', 'set', OURS, 'up')
}

/** One line of `wg show <interface> dump` for each peer, by its key. */
export async function dumpOurs(): Promise<{
  device: readonly string[]
  peers: ReadonlyMap<string, readonly string[]>
}> {
  const [device, ...peers] = (await sh('wg', 'show', OURS, 'dump')).trimEnd().split('\n')
  const rows = peers.map((line) => line.split('\t'))
  return { device: (device as string).split('\t'), peers: new Map(rows.map((row) => [row[0] as string, row])) }
}

/** A second machine on a cable, with a WireGuard of the same kind as ours, that knows us; it echoes datagrams and streams. */
export class Other implements AsyncDisposable {
  readonly publicKey: WireGuardKey
  readonly endpoint: { readonly host: string; readonly port: number }
  readonly #owned: AsyncDisposableStack

  private constructor(publicKey: WireGuardKey, host: string, owned: AsyncDisposableStack) {
    this.publicKey = publicKey
    this.endpoint = { host, port: THEIR_PORT }
    this.#owned = owned
  }

  static async open(world: World, ours: WireGuardKey, cable: 'ipv4' | 'ipv6' = 'ipv4'): Promise<Other> {
    await using owned = new AsyncDisposableStack()
    const theirs = newKey()
    await sh('ip', 'netns', 'add', THERE)
    owned.defer(async () => void (await sh('ip', 'netns', 'delete', THERE)))
    await sh('ip', 'link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'cable', 'netns', THERE)
    for (const [side, end] of [['here', sh] as const, ['there', there] as const]) {
      await end('ip', 'addr', 'add', `${CABLE.ipv4[side]}/24`, 'dev', 'cable')
      await end('ip', 'addr', 'add', `${CABLE.ipv6[side]}/64`, 'dev', 'cable', 'nodad')
      await end('ip', 'link', 'set', 'cable', 'up')
      await end('ip', 'link', 'set', 'lo', 'up')
    }
    if (world.kind === 'kernel') await there('ip', 'link', 'add', THEIRS, 'type', 'wireguard')
    else owned.use(await startReference(world.command))
    const folder = mkdtempSync(join(tmpdir(), 'other-'))
    owned.defer(() => rmSync(folder, { recursive: true }))
    const keyFile = join(folder, 'key')
    writeFileSync(keyFile, textOf(theirs.privateKey), { mode: 0o600 })
    await there(
      'wg',
      'set',
      THEIRS,
      'private-key',
      keyFile,
      'listen-port',
      String(THEIR_PORT),
      'peer',
      ours,
      'allowed-ips',
      `${INSIDE.here}/128`,
    )
    await there('ip', 'addr', 'add', `${INSIDE.there}/64`, 'dev', THEIRS, 'nodad')
    await there('ip', 'link', 'set', THEIRS, 'up')
    owned.use(await startEcho())
    return new Other(theirs.publicKey, CABLE[cable].there, owned.move())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync()
  }
}

async function startReference(command: string): Promise<AsyncDisposable> {
  const child = spawn('ip', ['netns', 'exec', THERE, command, '-f', THEIRS], {
    stdio: 'ignore',
    env: { ...process.env, WG_PROCESS_FOREGROUND: '1' },
  })
  const ended = once(child, 'exit')
  for (let i = 0; i < 2000; i++) {
    if (
      await there('wg', 'show', THEIRS).then(
        () => true,
        () => false,
      )
    )
      break
    if (child.exitCode !== null) throw new Error('the reference has ended')
  }
  return {
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

const ECHO = `
const { createSocket } = require('node:dgram')
const socket = createSocket({ type: 'udp6', ipv6Only: true, recvBufferSize: 4 << 20 })
socket.on('message', (bytes, from) => socket.send(bytes, from.port, from.address))
socket.bind({ port: ${ECHO_PORT}, address: '::' }, () => console.log('ready'))
process.stdin.resume().on('end', () => process.exit())
`

async function startEcho(): Promise<AsyncDisposable> {
  const child = spawn('ip', ['netns', 'exec', THERE, process.execPath, '-e', ECHO], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  for await (const line of createInterface({ input: child.stdout })) if (line === 'ready') break
  return {
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      await ended
    },
  }
}

/** No number of a datagram that counts. */
const PROBE = 0xffffffff
const PROBE_EVERY_MS = 100

/** Datagrams to the echo of the other machine and back, a few at a time; each that is missing at the end is one that was lost. */
export class Stream implements AsyncDisposable {
  readonly #socket: Socket
  readonly #back = new Set<number>()
  #sent = 0
  #isThere = false
  #isRunning = true
  #wake: () => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('message', (bytes) => {
      const number = bytes.readUInt32BE(0)
      if (number === PROBE) this.#isThere = true
      else this.#back.add(number)
      this.#wake()
      if (number !== PROBE && this.#isRunning) this.#send()
    })
  }

  /**
   * Resolves when a session is there: one of many came back that do not count. `wireguard-go` drops what is sent before it has heard
   * that its interface is up, and nobody sends a datagram a second time.
   */
  static async start(): Promise<Stream> {
    const socket = createSocket({ type: 'udp6', recvBufferSize: 4 << 20 })
    socket.bind({ address: '::', port: 0 })
    await once(socket, 'listening')
    const stream = new Stream(socket)
    stream.#put(PROBE)
    const again = setInterval(() => stream.#put(PROBE), PROBE_EVERY_MS)
    try {
      await stream.#until(() => stream.#isThere, 30_000)
    } catch (error) {
      socket.close()
      throw error
    } finally {
      clearInterval(again)
    }
    for (let i = 0; i < 8; i++) stream.#send()
    return stream
  }

  get received(): number {
    return this.#back.size
  }

  /** Resolves when so many more came back. */
  async more(count: number): Promise<void> {
    const enough = this.#back.size + count
    await this.#until(() => this.#back.size >= enough, 30_000)
  }

  /** Sends no more; how many never came back. */
  async stop(): Promise<{ sent: number; lost: number }> {
    this.#isRunning = false
    await this.#until(() => this.#back.size === this.#sent, 3_000).catch(() => {})
    return { sent: this.#sent, lost: this.#sent - this.#back.size }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isRunning = false
    this.#socket.close()
  }

  #send(): void {
    this.#put(this.#sent++)
  }

  #put(number: number): void {
    const bytes = Buffer.alloc(200)
    bytes.writeUInt32BE(number, 0)
    this.#socket.send(bytes, ECHO_PORT, INSIDE.there, () => {})
  }

  async #until(isDone: () => boolean, patienceMs: number): Promise<void> {
    const late = AbortSignal.timeout(patienceMs)
    while (!isDone()) {
      if (late.aborted) throw new Error(`after ${this.#sent} datagrams and ${this.#back.size} answers none came`)
      await new Promise<void>((wake) => {
        this.#wake = wake
        late.addEventListener('abort', () => wake(), { once: true })
      })
    }
  }
}

/** Holds a UDP port of this machine. */
export async function holdPort(port: number, address: string): Promise<AsyncDisposable> {
  const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', ipv6Only: address.includes(':') })
  socket.bind({ port, address, exclusive: true })
  await once(socket, 'listening')
  return { [Symbol.asyncDispose]: () => new Promise<void>((done) => socket.close(() => done())) }
}
