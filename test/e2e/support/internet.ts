import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Child } from '../../support/child.ts'
import { eventually } from '../../support/eventually.ts'
import type { BootedHost, BootedHosts } from './booted-hosts.ts'
import type { Scene } from './scene.ts'

/** A name that no rule keeps from being certified, as it does those below `test`. */
export const TOP_LEVEL = 'example'
const NAME = 'internet'
/** Who resolves for servers and authorities; the root; the top-level domain and whatever has its name servers elsewhere. */
export const RESOLVER = '198.51.100.2'
const ROOT = '198.51.100.3'
const PARENT = '198.51.100.4'
/** Where certificate authorities are; one more for each number. */
export const AUTHORITIES = ['198.51.100.5', '198.51.100.6'] as const

/** What the parent says of a zone: its name servers, their addresses where these lie in it, and DS records. */
export interface Delegation {
  readonly apex: string
  /** Names without the final dot; addresses of both families. */
  readonly servers: readonly { readonly name: string; readonly addresses: readonly string[] }[]
  /** In presentation format. */
  readonly ds?: readonly string[]
}

/** A zone that the owner has elsewhere: `name TYPE value` lines below its own SOA and NS, names in full with the final dot. */
export interface ForeignZone {
  readonly apex: string
  readonly records: readonly string[]
}

/**
 * What is not ours of the internet, in a network namespace on the switch of booted hosts: root and top-level domain by Knot, with
 * zones that somebody else hosts, and unbound, which recurses from that root. Ends with the hosts.
 */
export class Internet implements AsyncDisposable {
  readonly #hosts: BootedHosts
  readonly #folder: string
  readonly #owned = new AsyncDisposableStack()
  #serial = 1

  private constructor(hosts: BootedHosts, folder: string) {
    this.#hosts = hosts
    this.#folder = folder
  }

  /** Answers for the root and for what was delegated. Resolves when all of it answers. */
  static async open(
    scene: Scene,
    hosts: BootedHosts,
    delegations: readonly Delegation[],
    foreign: readonly ForeignZone[] = [],
  ): Promise<Internet> {
    const internet = new Internet(hosts, scene.path(NAME))
    mkdirSync(internet.#folder)
    await internet.#connect()
    await internet.#startParents(delegations, foreign)
    await internet.#startResolver()
    return internet
  }

  /** Stands before a command of this machine that is to run there. */
  get wrapper(): readonly string[] {
    return [...this.#hosts.wrapper, 'ip', 'netns', 'exec', NAME]
  }

  async run(...command: readonly string[]): Promise<string> {
    return await this.#hosts.run('ip', 'netns', 'exec', NAME, ...command)
  }

  /** Other delegations and foreign zones in place of those of before; resolves when parent and resolver know of them. */
  async delegate(delegations: readonly Delegation[], foreign: readonly ForeignZone[]): Promise<void> {
    this.#serial++
    this.#writeZones(delegations, foreign)
    await this.run('knotc', '-b', '-c', join(this.#folder, 'knot.conf'), 'reload')
    await eventually('the parent to have loaded its zone', async () => {
      const said = await this.ask(PARENT, `${TOP_LEVEL}.`, 'SOA')
      return said.some((line) => line.includes(` ${this.#serial} `)) ? true : undefined
    })
  }

  /** What a name server or resolver answers, a line a record. */
  async ask(server: string, name: string, type: string): Promise<string[]> {
    const said = await this.run('dig', `@${server}`, name, type, '+short', '+time=2', '+tries=2')
    return said
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith(';'))
      .sort()
  }

  /** What the resolver finds from the root down. */
  resolve(name: string, type: string): Promise<string[]> {
    return this.ask(RESOLVER, name, type)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync()
  }

  async #connect(): Promise<void> {
    await this.#hosts.run('ip', 'netns', 'add', NAME)
    await this.#hosts.run('ip', 'link', 'add', `p-${NAME}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', NAME)
    await this.#hosts.run('ip', 'link', 'set', `p-${NAME}`, 'master', 'br0', 'up')
    await this.run('ip', 'link', 'set', 'lo', 'up')
    for (const address of [RESOLVER, ROOT, PARENT, ...AUTHORITIES])
      await this.run('ip', 'addr', 'add', `${address}/24`, 'dev', 'eth0')
    await this.run('ip', 'addr', 'add', '2001:db8:51::2/64', 'dev', 'eth0', 'nodad')
    await this.run('ip', 'link', 'set', 'eth0', 'up')
  }

  #start(command: readonly string[]): Child {
    return this.#owned.use(this.#hosts.start(['ip', 'netns', 'exec', NAME, ...command]))
  }

  #writeZones(delegations: readonly Delegation[], foreign: readonly ForeignZone[]): void {
    const soa = `SOA a.ns.${TOP_LEVEL}. ops.${TOP_LEVEL}. ${this.#serial} 3600 900 1209600 1`
    const write = (file: string, lines: readonly string[]) =>
      writeFileSync(join(this.#folder, file), `$TTL 1\n${lines.join('\n')}\n`)
    write('root.zone', [
      `. ${soa}`,
      '. NS a.root.',
      `a.root. A ${ROOT}`,
      `${TOP_LEVEL}. NS a.ns.${TOP_LEVEL}.`,
      `a.ns.${TOP_LEVEL}. A ${PARENT}`,
    ])
    const below = delegations.flatMap(({ apex, servers, ds = [] }) => [
      ...servers.map(({ name }) => `${apex}. NS ${name}.`),
      ...servers.flatMap(({ name, addresses }) =>
        addresses.map((address) => `${name}. ${address.includes(':') ? 'AAAA' : 'A'} ${address}`),
      ),
      ...ds.map((value) => `${apex}. DS ${value}`),
    ])
    const hosted = foreign.map(({ apex }) => `${apex}. NS a.ns.${TOP_LEVEL}.`)
    write('top-level.zone', [
      `${TOP_LEVEL}. ${soa}`,
      `${TOP_LEVEL}. NS a.ns.${TOP_LEVEL}.`,
      `a.ns.${TOP_LEVEL}. A ${PARENT}`,
      ...hosted,
      ...below,
    ])
    for (const { apex, records } of foreign)
      write(`${apex}.zone`, [`${apex}. ${soa}`, `${apex}. NS a.ns.${TOP_LEVEL}.`, ...records])
    const zones = [
      '  - domain: .',
      '    file: root.zone',
      `  - domain: ${TOP_LEVEL}.`,
      '    file: top-level.zone',
      ...foreign.flatMap(({ apex }) => [`  - domain: ${apex}.`, `    file: ${apex}.zone`]),
    ]
    writeFileSync(
      join(this.#folder, 'knot.conf'),
      `server:
    rundir: "${this.#folder}"
    listen: [ "${ROOT}@53", "${PARENT}@53" ]
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "${this.#folder}/db"
log:
  - target: stderr
    any: notice
template:
  - id: default
    storage: "${this.#folder}"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
zone:
${zones.join('\n')}
`,
    )
  }

  async #startParents(delegations: readonly Delegation[], foreign: readonly ForeignZone[]): Promise<void> {
    this.#writeZones(delegations, foreign)
    const child = this.#start(['knotd', '-c', join(this.#folder, 'knot.conf')])
    await eventually('the parents to answer', async () => {
      const said = [...(await this.ask(ROOT, '.', 'NS')), ...(await this.ask(PARENT, `${TOP_LEVEL}.`, 'NS'))]
      if (said.length < 2) throw new Error(child.output)
      return true
    })
  }

  async #startResolver(): Promise<void> {
    const hints = join(this.#folder, 'hints')
    writeFileSync(hints, `. 3600 IN NS a.root.\na.root. 3600 IN A ${ROOT}\n`)
    const config = join(this.#folder, 'unbound.conf')
    writeFileSync(
      config,
      `server:
  interface: ${RESOLVER}
  access-control: 198.51.100.0/24 allow
  do-daemonize: no
  use-syslog: no
  logfile: ""
  chroot: ""
  username: ""
  pidfile: ""
  directory: "${this.#folder}"
  root-hints: "${hints}"
  module-config: "iterator"
  num-threads: 1
  cache-max-ttl: 1
  cache-max-negative-ttl: 1
  infra-host-ttl: 1
remote-control:
  control-enable: no
`,
    )
    const child = this.#start(['unbound', '-d', '-c', config])
    await eventually('the resolver to find its way', async () => {
      if ((await this.resolve(`${TOP_LEVEL}.`, 'NS')).length === 0) throw new Error(child.output)
      return true
    })
  }
}

/** Delegates a zone to booted servers by the names that ours give them. */
export const delegateTo = (apex: string, servers: readonly BootedHost[]): Delegation => ({
  apex,
  servers: servers.map(({ name, ipv4, ipv6 }) => ({ name: `${name}.ns.${apex}`, addresses: [ipv4, ipv6] })),
})

/** Has a host ask the resolver of this internet, as its provider would tell it to. */
export async function useInternet(host: BootedHost): Promise<void> {
  await host.write('/etc/resolv.conf', `nameserver ${RESOLVER}\n`)
}
