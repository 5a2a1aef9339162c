import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { BootedHost, BootedHosts } from './booted-hosts.ts'
import { Cable } from './cable.ts'

const run = promisify(execFile)
const TABLE = 'underlay'
/** What providers let through to servers of ours: SSH, and what visitors use. */
const TCP_PORTS = '22, 53, 80, 443'
/** WireGuard and DNS. */
const UDP_PORTS = '51880, 53'

/** What lies between booted hosts: a firewall that lets through what the documentation asks for, cuts, and cables with faults. */
export class Underlay {
  readonly #hosts: BootedHosts
  readonly #names: readonly string[]

  private constructor(hosts: BootedHosts, names: readonly string[]) {
    this.#hosts = hosts
    this.#names = names
  }

  /** `names` are the hosts in the order in which they were opened. Nothing else gets through from here on. */
  static async open(hosts: BootedHosts, names: readonly string[]): Promise<Underlay> {
    const underlay = new Underlay(hosts, names)
    const chain = `bridge ${TABLE} forward`
    for (const command of [
      `add table bridge ${TABLE}`,
      `add set bridge ${TABLE} cuts { type ifname . ifname; }`,
      `add set bridge ${TABLE} tcp_ports { type inet_service; elements = { ${TCP_PORTS} }; }`,
      `add set bridge ${TABLE} udp_ports { type inet_service; elements = { ${UDP_PORTS} }; }`,
      `add chain ${chain} { type filter hook forward priority 0; policy drop; }`,
      `add rule ${chain} iifname . oifname @cuts drop`,
      `add rule ${chain} ether type arp accept`,
      `add rule ${chain} meta l4proto { icmp, icmpv6 } accept`,
      ...['tcp', 'udp'].flatMap((protocol) =>
        ['dport', 'sport'].map((end) => `add rule ${chain} ${protocol} ${end} @${protocol}_ports accept`),
      ),
    ])
      await underlay.#nft(command)
    return underlay
  }

  /** The switch's end of a host's cable. */
  port(name: string): string {
    const i = this.#names.indexOf(name)
    return i < 0 ? `p-${name}` : `p-${i + 1}`
  }

  async openTcp(...ports: readonly number[]): Promise<void> {
    await this.#nft(`add element bridge ${TABLE} tcp_ports { ${ports.join(', ')} }`)
  }

  async shutTcp(...ports: readonly number[]): Promise<void> {
    await this.#nft(`delete element bridge ${TABLE} tcp_ports { ${ports.join(', ')} }`)
  }

  /** From now on nothing gets from the first of each pair to the second. In place of what was cut before. */
  async cut(pairs: readonly (readonly [string, string])[]): Promise<void> {
    await this.#nft(`flush set bridge ${TABLE} cuts`)
    const elements = pairs.map(([from, to]) => `"${this.port(from)}" . "${this.port(to)}"`)
    if (elements.length > 0) await this.#nft(`add element bridge ${TABLE} cuts { ${elements.join(', ')} }`)
  }

  /** See Cable; not for hosts that are cut off meanwhile. */
  async cable(name: string, folder: string): Promise<Cable> {
    return await Cable.open(this.#hosts, this.port(name), folder)
  }

  /** Lies on the switch with wireguard-go, and belongs to nobody yet. */
  async addPeer(name: string, number: number): Promise<PeerHost> {
    return await PeerHost.open(this.#hosts, name, `198.51.100.${number}`)
  }

  async #nft(command: string): Promise<void> {
    await this.#hosts.run('nft', command)
  }
}

/** A machine that is no server of ours: a network namespace of the switch, with a WireGuard interface that nobody configured. */
export class PeerHost {
  readonly name: string
  readonly ipv4: string
  readonly interface: string
  readonly #hosts: BootedHosts

  private constructor(hosts: BootedHosts, name: string, ipv4: string) {
    this.#hosts = hosts
    this.name = name
    this.ipv4 = ipv4
    // Sockets of all of them lie in one folder.
    this.interface = `wg-${name}`
  }

  static async open(hosts: BootedHosts, name: string, ipv4: string): Promise<PeerHost> {
    const peer = new PeerHost(hosts, name, ipv4)
    // Not that of this machine.
    await hosts.run(
      'sh',
      '-c',
      'mkdir -p /run/wireguard && { mountpoint -q /run/wireguard || mount -t tmpfs none /run/wireguard; }',
    )
    await hosts.run('ip', 'netns', 'add', name)
    await hosts.run('ip', 'link', 'add', `p-${name}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
    await hosts.run('ip', 'link', 'set', `p-${name}`, 'master', 'br0', 'up')
    for (const args of [
      ['link', 'set', 'lo', 'up'],
      ['addr', 'add', `${ipv4}/24`, 'dev', 'eth0'],
      ['link', 'set', 'eth0', 'up'],
    ])
      await peer.run('ip', ...args)
    // In the background, from where it ends with all the others.
    await peer.run('wireguard-go', peer.interface)
    return peer
  }

  /** Stands before a command of this machine that is to run there. */
  get wrapper(): readonly string[] {
    return [...this.#hosts.wrapper, 'ip', 'netns', 'exec', this.name]
  }

  async run(...command: readonly string[]): Promise<string> {
    return await this.#hosts.run('ip', 'netns', 'exec', this.name, ...command)
  }
}

/** Stands before a command of this machine that is to run in the network of a host alone: it may have less than we. */
export const inNetworkOf = (host: BootedHost): readonly string[] => ['nsenter', '-t', leaderOf(host), '-n', '--']

const leaders = new WeakMap<BootedHost, string>()

/** Process 1 of the host, as this machine numbers it; looked for again when the one of before is gone, as the search takes long. */
export function leaderOf(host: BootedHost): string {
  const known = leaders.get(host)
  if (known !== undefined && isSystemd(known)) return known
  const found = host.wrapper[2] as string
  leaders.set(host, found)
  return found
}

function isSystemd(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'systemd'
  } catch {
    return false
  }
}

/** Puts `wg` onto a host, which has none. */
export async function lendWg(hosts: BootedHosts, host: BootedHost): Promise<void> {
  await hosts.run('cp', '/usr/bin/wg', join(hosts.folder, host.name, 'root/usr/local/bin/wg'))
}

/** What comes of a connection: it opens, the host there refuses it, or nothing. */
export type Met = 'open' | 'refused' | 'nothing'

/** Tries TCP ports, all at once, from behind the wrapper. */
export async function knock(
  wrapper: readonly string[],
  doors: readonly { readonly host: string; readonly port: number }[],
): Promise<Met[]> {
  const [program, ...args] = [...wrapper, process.execPath, '-e', KNOCK, JSON.stringify(doors)]
  return JSON.parse((await run(program as string, args)).stdout) as Met[]
}

const KNOCK = `
const { connect } = require('node:net')
const knock = ({ host, port }) => new Promise((done) => {
  const socket = connect({ host, port, timeout: 2500 })
  const end = (word) => { done(word); socket.destroy() }
  socket.on('connect', () => end('open'))
  socket.on('timeout', () => end('nothing'))
  socket.on('error', ({ code }) => end(code === 'ECONNREFUSED' ? 'refused' : 'nothing'))
})
Promise.all(JSON.parse(process.argv[1]).map(knock)).then((all) => console.log(JSON.stringify(all)))
`
