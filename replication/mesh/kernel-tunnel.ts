import { constants } from 'node:os'
import { type Cancel, type Log, MakiError, type Runtime } from '../../core/index.ts'
import {
  NETLINK_GENERIC,
  NetlinkError,
  NetlinkSocket,
  NLM_DUMP,
  readAttributes,
  textAttribute,
} from './netlink/index.ts'
import type { NetworkControl, Tunnel, TunnelChange, TunnelStatus } from './ports.ts'
import { decodeDevice, encodeGetDevice, encodeSetDevice, WIREGUARD_FAMILY } from './wireguard-netlink.ts'

const { EADDRINUSE, ENODEV, ENOENT, EOPNOTSUPP } = constants.errno

/** `struct genlmsghdr`: command, version, nothing. */
const HEADER_BYTES = 4
/** The controller of generic netlink, which knows the numbers of the others (linux/genetlink.h). */
const CONTROLLER = { type: 16, version: 1, getFamily: 3, familyId: 1, familyName: 2 } as const

/** How often the interface is looked after, which somebody may delete. */
const LOOK_EVERY_MS = 2_000

export interface KernelTunnelOptions {
  readonly interface: string
  readonly network: NetworkControl
  readonly runtime: Pick<Runtime, 'after'>
  readonly log: Log
}

/**
 * The kernel's WireGuard device of an interface that is there already, made by `addWireGuardLink` or left by an earlier daemon. Rejects with
 * MAKI_UNREACHABLE where it is not there, MAKI_UNSUPPORTED where the kernel has no WireGuard.
 */
export async function openKernelTunnel(options: KernelTunnelOptions): Promise<Tunnel> {
  const { interface: name, network, log } = options
  const socket = await NetlinkSocket.open(NETLINK_GENERIC)
  try {
    const family = await findFamily(socket)
    const link = await network.findLink(name)
    if (link === undefined) throw unreachable(name)
    log.info('tunnel.opened', { interface: name, kind: 'kernel', index: link.index })
    return new KernelTunnel(options, { socket, family, index: link.index })
  } catch (error) {
    socket[Symbol.dispose]()
    throw error
  }
}

async function findFamily(socket: NetlinkSocket): Promise<number> {
  const name = textAttribute(CONTROLLER.familyName, WIREGUARD_FAMILY.name)
  const body = Buffer.concat([Buffer.of(CONTROLLER.getFamily, CONTROLLER.version, 0, 0), name])
  const answers = await socket.request({ type: CONTROLLER.type, flags: 0, body }).catch((error: unknown) => {
    if (error instanceof NetlinkError && error.errno === ENOENT) return []
    throw error
  })
  for (const answer of answers) {
    const id = readAttributes(answer.body.subarray(HEADER_BYTES)).get(CONTROLLER.familyId)
    if (id?.length === 2) return id.readUInt16LE()
  }
  throw new MakiError('MAKI_UNSUPPORTED', 'this kernel has no WireGuard', {
    hint: 'Install a kernel with WireGuard (5.6 or later), or the package wireguard-go.',
  })
}

interface Device {
  readonly socket: NetlinkSocket
  /** The number of the generic netlink family. */
  readonly family: number
  /** Of the interface: one that is deleted and made anew has another. */
  readonly index: number
}

class KernelTunnel implements Tunnel {
  readonly kind = 'kernel'
  readonly interface: string
  readonly gone: Promise<string>
  readonly #options: KernelTunnelOptions
  readonly #device: Device
  readonly #sayGone: (why: string) => void
  #cancel: Cancel = () => {}
  #state: 'open' | 'handed-over' | 'gone' | 'disposed' = 'open'

  constructor(options: KernelTunnelOptions, device: Device) {
    this.interface = options.interface
    this.#options = options
    this.#device = device
    const gone = Promise.withResolvers<string>()
    this.gone = gone.promise
    this.#sayGone = gone.resolve
    this.#wait()
  }

  async status(): Promise<TunnelStatus> {
    const answers = await this.#request(WIREGUARD_FAMILY.getDevice, NLM_DUMP, encodeGetDevice(this.interface))
    return decodeDevice(answers)
  }

  async apply(change: TunnelChange): Promise<void> {
    for (const attributes of encodeSetDevice(this.interface, change)) {
      await this.#request(WIREGUARD_FAMILY.setDevice, 0, attributes).catch((cause: unknown) => {
        if (!(cause instanceof NetlinkError) || cause.errno !== EADDRINUSE) throw cause
        const message = `UDP port ${change.listenPort} is taken: WireGuard cannot listen there`
        const hint = 'See who has it: ss -lunp. Another: port = … under [wireguard].'
        throw new MakiError('MAKI_PORT_IN_USE', message, { cause, hint })
      })
    }
  }

  handOver(): void {
    if (this.#state === 'open') this.#state = 'handed-over'
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === 'disposed') return
    const isOurs = this.#state === 'open' && (await this.#isThere())
    this.#state = 'disposed'
    this.#cancel()
    this.#device.socket[Symbol.dispose]()
    if (isOurs) await this.#options.network.deleteLink(this.interface)
  }

  async #request(command: number, flags: number, attributes: Buffer): Promise<readonly Buffer[]> {
    if (this.#state === 'gone' || this.#state === 'disposed') throw unreachable(this.interface)
    const { socket, family } = this.#device
    const body = Buffer.concat([Buffer.of(command, WIREGUARD_FAMILY.version, 0, 0), attributes])
    try {
      const answers = await socket.request({ type: family, flags, body })
      return answers.map((answer) => answer.body.subarray(HEADER_BYTES))
    } catch (cause) {
      if (!(cause instanceof NetlinkError) || (cause.errno !== ENODEV && cause.errno !== EOPNOTSUPP)) throw cause
      this.#end()
      throw unreachable(this.interface, cause)
    }
  }

  async #isThere(): Promise<boolean> {
    return (await this.#options.network.findLink(this.interface))?.index === this.#device.index
  }

  #wait(): void {
    if (this.#state === 'disposed') return
    this.#cancel = this.#options.runtime.after(LOOK_EVERY_MS, () => {
      // What cannot be looked at now is looked at again.
      void this.#isThere().then(
        (isThere) => (isThere ? this.#wait() : this.#end()),
        () => this.#wait(),
      )
    })
  }

  #end(): void {
    this.#cancel()
    if (this.#state === 'disposed' || this.#state === 'gone') return
    this.#state = 'gone'
    this.#sayGone(`the interface ${this.interface} was deleted`)
  }
}

const unreachable = (name: string, cause?: unknown) =>
  new MakiError('MAKI_UNREACHABLE', `the interface ${name} of WireGuard is gone`, { cause })
