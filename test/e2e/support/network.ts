import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Child } from '../../support/child.ts'

const run = promisify(execFile)

/** Documentation networks (RFC 5737, RFC 3849), which nothing outside our namespaces has. */
const IPV4_PREFIX = '198.51.100.'
const IPV6_PREFIX = '2001:db8:51::'
/** Says that the namespace is there, and holds it until its standard input ends: with the test, however that ends. */
const HOLDER = ['unshare', '--net', 'sh', '-c', 'echo ready; exec cat']

/** A machine of the network: a network namespace with one interface. */
export class Host {
  readonly name: string
  readonly ipv4: string
  readonly ipv6: string
  readonly #holder: Child

  constructor(name: string, number: number, holder: Child) {
    this.name = name
    this.ipv4 = `${IPV4_PREFIX}${number}`
    this.ipv6 = `${IPV6_PREFIX}${number.toString(16)}`
    this.#holder = holder
  }

  /** Stands before a command that is to run on this host. */
  get wrapper(): readonly string[] {
    return ['nsenter', `--net=/proc/${this.#holder.pid}/ns/net`, '--']
  }

  get holder(): Child {
    return this.#holder
  }

  /** Standard output of a command that runs on this host; rejects when it fails. */
  async run(...command: readonly string[]): Promise<string> {
    const [program, ...args] = [...this.wrapper, ...command]
    return (await run(program as string, args, { maxBuffer: 64 * 1024 * 1024 })).stdout
  }

  /** A program that goes on, on this host. */
  start(command: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Child {
    // Name servers and the like do not notice by themselves that the test is gone.
    const [program, ...args] = [...this.wrapper, 'setpriv', '--pdeathsig', 'KILL', ...command]
    return new Child(program as string, args, options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#holder[Symbol.asyncDispose]()
  }
}

/**
 * Hosts on one switch that nothing else is connected to, and cuts between them, each in one direction. Needs root; all of
 * it ends with the test's process.
 */
export class TestNetwork implements AsyncDisposable {
  readonly #switch: Host
  readonly #hosts = new Map<string, Host>()

  private constructor(bridge: Host) {
    this.#switch = bridge
  }

  static async open(names: readonly string[]): Promise<TestNetwork> {
    const network = new TestNetwork(await hold('switch', 254))
    try {
      await network.#switch.run('ip', 'link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0')
      await network.#switch.run('ip', 'link', 'set', 'br0', 'up')
      await network.#nft('add table bridge faults')
      await network.#nft('add chain bridge faults forward { type filter hook forward priority 0; policy accept; }')
      await network.#nft('add set bridge faults cuts { type ifname . ifname; }')
      await network.#nft('add rule bridge faults forward iifname . oifname @cuts drop')
      for (const name of names) await network.add(name)
      return network
    } catch (error) {
      await network[Symbol.asyncDispose]()
      throw error
    }
  }

  host(name: string): Host {
    const host = this.#hosts.get(name)
    if (host === undefined) throw new Error(`there is no host ${name}`)
    return host
  }

  /** Connects another host; its addresses end in 11, 12 and so on. */
  async add(name: string): Promise<Host> {
    const host = await hold(name, 11 + this.#hosts.size)
    this.#hosts.set(name, host)
    const port = portOf(name)
    const peer = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', String(host.holder.pid)]
    await this.#switch.run('ip', 'link', 'add', port, ...peer)
    await this.#switch.run('ip', 'link', 'set', port, 'master', 'br0', 'up')
    for (const args of [
      ['link', 'set', 'lo', 'up'],
      ['addr', 'add', `${host.ipv4}/24`, 'dev', 'eth0'],
      ['addr', 'add', `${host.ipv6}/64`, 'dev', 'eth0', 'nodad'],
      ['link', 'set', 'eth0', 'up'],
    ])
      await host.run('ip', ...args)
    return host
  }

  /** Gives a host another address on the network. */
  async addAddress(name: string, number: number): Promise<string> {
    const address = `${IPV4_PREFIX}${number}`
    await this.host(name).run('ip', 'addr', 'add', `${address}/24`, 'dev', 'eth0')
    return address
  }

  /** From now on nothing gets from one host to the other; the way back stays as it is. */
  async cut(from: string, to: string): Promise<void> {
    await this.#nft(`add element bridge faults cuts { "${portOf(from)}" . "${portOf(to)}" }`)
  }

  async heal(from: string, to: string): Promise<void> {
    await this.#nft(`delete element bridge faults cuts { "${portOf(from)}" . "${portOf(to)}" }`)
  }

  async healAll(): Promise<void> {
    await this.#nft('flush set bridge faults cuts')
  }

  /** Cuts both directions between a host and all others, or those that are named. */
  async isolate(name: string, others: readonly string[] = [...this.#hosts.keys()]): Promise<void> {
    for (const other of others) {
      if (other === name) continue
      await this.cut(name, other)
      await this.cut(other, name)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#hosts.values(), this.#switch].map((host) => host[Symbol.asyncDispose]()))
  }

  async #nft(command: string): Promise<void> {
    await this.#switch.run('nft', command)
  }
}

async function hold(name: string, number: number): Promise<Host> {
  const [program, ...args] = HOLDER
  const holder = new Child(program as string, args)
  await holder.waitForLine((line) => line === 'ready')
  return new Host(name, number, holder)
}

/** The switch's end of a host's cable; a name of an interface has at most 15 characters. */
const portOf = (name: string): string => `p-${name}`.slice(0, 15)
