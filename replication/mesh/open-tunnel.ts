import { createSocket, type SocketType } from 'node:dgram'
import { once } from 'node:events'
import { type Log, MakiError, type Runtime } from '../../core/index.ts'
import { openKernelTunnel } from './kernel-tunnel.ts'
import type { NetworkControl, Tunnel } from './ports.ts'
import { checkTunnelChange } from './tunnel-change.ts'
import { WIREGUARD_GO } from './userspace-program.ts'
import { isProgramRunning, openUserspaceTunnel } from './userspace-tunnel.ts'
import { wireGuardPublicKey } from './wireguard-public-key.ts'

/** How long an interface may outlive the program that had it. */
const LEAVE_MS = 2_000
const LOOK_EVERY_MS = 20

export interface TunnelOptions {
  /** At most 15 characters. */
  readonly interface: string
  readonly network: NetworkControl
  /** 32 bytes. */
  readonly privateKey: Uint8Array
  readonly listenPort: number
  /** The path of `wireguard-go`; where it is absent, `PATH` is searched. */
  readonly command?: string | undefined
  readonly runtime: Pick<Runtime, 'after' | 'monotonic'>
  readonly log: Log
}

/**
 * The WireGuard device of an interface, with this key and this port: the kernel's where it has one, else `wireguard-go`'s. A device
 * of that name that an earlier daemon left is taken over with its peers and their sessions. The interface is not
 * brought up. Rejects, and leaves nothing that was not there, with MAKI_UNSUPPORTED that says what lacks, MAKI_PORT_IN_USE,
 * or MAKI_CONFLICT where the interface is somebody else's.
 */
export async function openTunnel(options: TunnelOptions): Promise<Tunnel> {
  const { privateKey, listenPort } = options
  checkTunnelChange({ privateKey, listenPort })
  const { tunnel, isFound } = await openDevice(options)
  try {
    const { publicKey: has, listenPort: listens } = await tunnel.status()
    const wanted = wireGuardPublicKey(privateKey)
    // Of ours at least one of both is the same, unless key and port were changed at once.
    if (isFound && has !== undefined && has !== wanted && listens !== listenPort) throw foreign(options.interface)
    if (listens !== listenPort) await refuseTakenPort(listenPort)
    const change = {
      ...(has === wanted ? {} : { privateKey }),
      ...(listens === listenPort ? {} : { listenPort }),
    }
    if (Object.keys(change).length > 0) await tunnel.apply(change)
    return tunnel
  } catch (error) {
    if (isFound) tunnel.handOver()
    await tunnel[Symbol.asyncDispose]()
    throw error
  }
}

async function openDevice(options: TunnelOptions): Promise<{ tunnel: Tunnel; isFound: boolean }> {
  const { interface: name, network, command = WIREGUARD_GO } = options
  const inUserspace = async (isFound: boolean) => ({
    tunnel: await openUserspaceTunnel({ ...options, command }),
    isFound,
  })
  const link = await network.findLink(name)
  if (link?.kind === 'wireguard') return { tunnel: await openKernelTunnel(options), isFound: true }
  if (link !== undefined) {
    if (link.kind !== 'tun') throw foreign(name)
    if (await isProgramRunning(name)) return await inUserspace(true)
    // A program that is ending takes its socket away first.
    await untilLeft(options)
  }
  try {
    await network.addWireGuardLink(name)
  } catch (error) {
    if (!(error instanceof MakiError) || error.code !== 'MAKI_UNSUPPORTED') throw error
    return await inUserspace(false).catch((lacks: unknown) => {
      throw withoutKernel(lacks)
    })
  }
  try {
    return { tunnel: await openKernelTunnel(options), isFound: false }
  } catch (error) {
    await network.deleteLink(name).catch(() => {})
    throw error
  }
}

async function untilLeft({ interface: name, network, runtime }: TunnelOptions): Promise<void> {
  const untilMs = runtime.monotonic() + LEAVE_MS
  while ((await network.findLink(name)) !== undefined) {
    if (runtime.monotonic() > untilMs) throw foreign(name)
    await new Promise<void>((done) => void runtime.after(LOOK_EVERY_MS, done))
  }
}

/** An interface that is down takes any port and fails when it comes up; who set it hears of it here. */
async function refuseTakenPort(port: number): Promise<void> {
  await refuseTaken('udp4', '0.0.0.0', port)
  await refuseTaken('udp6', '::', port)
}

async function refuseTaken(type: SocketType, address: string, port: number): Promise<void> {
  const socket = createSocket({ type, ipv6Only: type === 'udp6' })
  try {
    socket.bind({ port, address, exclusive: true })
    await once(socket, 'listening')
  } catch (cause) {
    // A machine without that family cannot be listened on by it; WireGuard does without.
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') return
    throw new MakiError('MAKI_PORT_IN_USE', `UDP port ${port} is taken: WireGuard cannot listen there`, {
      cause,
      hint: 'See who has it: ss -lunp. Another: port = … under [wireguard].',
    })
  } finally {
    socket.close()
  }
}

function withoutKernel(thrown: unknown): unknown {
  if (!(thrown instanceof MakiError) || thrown.code !== 'MAKI_UNSUPPORTED') return thrown
  return new MakiError('MAKI_UNSUPPORTED', `this kernel has no WireGuard, and ${thrown.message}`, {
    cause: thrown,
    ...(thrown.hint === undefined ? {} : { hint: thrown.hint }),
  })
}

const foreign = (name: string) =>
  new MakiError('MAKI_CONFLICT', `the interface ${name} is there already and is not ours: it is left as it is`, {
    hint: `Name another under [wireguard] in the configuration, or take it away: ip link delete ${name}`,
  })
