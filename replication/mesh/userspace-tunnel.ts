import { rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { type Log, MakiError, type Runtime } from '../../core/index.ts'
import type { Tunnel, TunnelChange, TunnelPeerChange, TunnelStatus } from './ports.ts'
import { ProgramLog } from './program-log.ts'
import { encodeUapiSet, UAPI_GET } from './uapi.ts'
import { killPrograms, type ProgramOptions, programLogPathOf, startProgram } from './userspace-program.ts'
import { askProgram, connectToProgram, socketPathOf } from './userspace-socket.ts'

/** errno(3). */
const EADDRINUSE = 98

/** Longer than a program takes to end on a busy machine; then it is killed. */
const END_MS = 3_000

/** True where a program has the interface already. */
export async function isProgramRunning(interfaceName: string): Promise<boolean> {
  const socket = await connectToProgram(interfaceName)
  socket?.destroy()
  return socket !== undefined
}

/**
 * The device of the `wireguard-go` that has the interface, which is started where none is. It runs on when we are killed, and
 * whoever opens the same interface then has it. Rejects with a MakiError that says what lacks; nothing is left.
 */
export async function openUserspaceTunnel(options: ProgramOptions): Promise<Tunnel> {
  const { interface: name, runtime, log } = options
  if (await isProgramRunning(name)) {
    log.info('tunnel.adopted', { interface: name, kind: 'userspace' })
    const said = await ProgramLog.open(programLogPathOf(name), { fresh: false, runtime, log })
    return await watch(options, said)
  }
  const { pid, said } = await startProgram(options)
  log.info('tunnel.started', { interface: name, kind: 'userspace', pid })
  return await watch(options, said)
}

async function watch(options: ProgramOptions, said: ProgramLog): Promise<Tunnel> {
  const line = await connectToProgram(options.interface)
  if (line !== undefined) return new UserspaceTunnel(options, { said, line })
  await said[Symbol.asyncDispose]()
  throw new MakiError('MAKI_UNREACHABLE', `the WireGuard program of ${options.interface} has just ended`, {
    hint: 'Try once more.',
  })
}

interface Running {
  readonly said: ProgramLog
  /** Open and silent: it closes when the program ends, whoever started it. */
  readonly line: Socket
}

class UserspaceTunnel implements Tunnel {
  readonly kind = 'userspace'
  readonly interface: string
  readonly gone: Promise<string>
  readonly #running: Running
  readonly #runtime: Pick<Runtime, 'after'>
  readonly #log: Log
  readonly #closed: Promise<void>
  #hasEnded = false
  #state: 'open' | 'handed-over' | 'disposed' = 'open'

  constructor(options: ProgramOptions, running: Running) {
    this.interface = options.interface
    this.#running = running
    this.#runtime = options.runtime
    this.#log = options.log
    this.#closed = new Promise((done) => void running.line.once('close', () => done()))
    const gone = Promise.withResolvers<string>()
    this.gone = gone.promise
    void this.#closed.then(async () => {
      this.#hasEnded = true
      if (this.#state === 'disposed') return
      const last = (await running.said.last()).at(-1)
      gone.resolve(`the WireGuard program of ${this.interface} has ended${last === undefined ? '' : `: ${last}`}`)
    })
  }

  async status(): Promise<TunnelStatus> {
    const { status, errno } = await askProgram(this.interface, UAPI_GET, this.#runtime)
    if (errno !== 0) throw refused(this.interface, errno)
    return status
  }

  async apply(asked: TunnelChange): Promise<void> {
    const change = await this.#withoutSame(asked)
    const { errno } = await askProgram(this.interface, encodeUapiSet(change), this.#runtime)
    if (errno === EADDRINUSE) {
      throw new MakiError('MAKI_PORT_IN_USE', `UDP port ${change.listenPort} is taken: WireGuard cannot listen there`, {
        hint: 'See who has it: ss -lunp. Another: port = … under [wireguard].',
      })
    }
    if (errno !== 0) throw refused(this.interface, errno)
  }

  /**
   * A port that is set is opened anew, even the same one, and what is on its way is lost; so is what comes between the moment that
   * all networks of a peer are taken and the moment that it has the same ones again.
   */
  async #withoutSame({ listenPort, peers, ...others }: TunnelChange): Promise<TunnelChange> {
    if (listenPort === undefined && peers?.some(({ allowedIps }) => allowedIps !== undefined) !== true)
      return { ...others, ...(peers === undefined ? {} : { peers }) }
    const status = await this.status()
    const known = new Map(status.peers.map(({ publicKey, allowedIps }) => [publicKey, new Set(allowedIps)]))
    const isSame = ({ publicKey, allowedIps }: TunnelPeerChange): boolean =>
      allowedIps !== undefined && known.get(publicKey)?.symmetricDifference(new Set(allowedIps)).size === 0
    return {
      ...others,
      ...(listenPort === undefined || status.listenPort === listenPort ? {} : { listenPort }),
      ...(peers === undefined ? {} : { peers: peers.map((peer) => (isSame(peer) ? withoutNetworks(peer) : peer)) }),
    }
  }

  handOver(): void {
    if (this.#state === 'open') this.#state = 'handed-over'
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === 'disposed') return
    const isLeft = this.#state === 'handed-over'
    this.#state = 'disposed'
    // What one that is gone had may be another's by now.
    if (!isLeft && !this.#hasEnded) await this.#end()
    this.#running.line.destroy()
    if (!isLeft) await this.#running.said.remove()
    await this.#running.said[Symbol.asyncDispose]()
  }

  /** A program ends when its socket is taken away: that is its protocol. */
  async #end(): Promise<void> {
    await rm(socketPathOf(this.interface), { force: true })
    const late = Promise.withResolvers<'late'>()
    const cancel = this.#runtime.after(END_MS, () => late.resolve('late'))
    const how = await Promise.race([this.#closed, late.promise])
    cancel()
    if (how !== 'late') return
    const pids = await killPrograms(this.interface)
    this.#log.warn('tunnel.end-overdue', { interface: this.interface, afterMs: END_MS, killed: pids })
    if (pids.length > 0) await this.#closed
  }
}

const withoutNetworks = ({ allowedIps: _, ...others }: TunnelPeerChange): TunnelPeerChange => others

const refused = (interfaceName: string, errno: number) =>
  new MakiError(
    'MAKI_INTERNAL',
    `the WireGuard program of ${interfaceName} refused what was asked of it: errno ${errno}`,
  )
