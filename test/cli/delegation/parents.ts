import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { askOverUdp } from '../../../cli/health/ask-udp.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { Child } from '../../support/child.ts'
import { eventually } from '../../support/eventually.ts'
import { findFreePorts } from '../../support/free-ports.ts'

const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin` }
const SOA = 6

/** Addresses of this computer that no other test file that runs now has: port 53 is free there. */
export const addressOf = (number: number): string =>
  `127.${100 + (process.pid % 150)}.${(process.pid >> 8) % 250}.${number}`

/** Not tap's own folder: the path of a unix socket has room for 107 bytes only. */
function makeFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'maki-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Whatever ends this process ends the server, too. */
const start = (command: string, ...args: string[]): Child =>
  new Child('setpriv', ['--pdeathsig', 'KILL', command, ...args], { env })

async function answers(host: string, port: number, name: string, child: Child, recursive = false): Promise<void> {
  await eventually(`${name} to be answered at ${host}`, async () => {
    const { answer, fault } = await askOverUdp(
      { host, port, timeoutMs: 2_000, runtime: systemRuntime },
      { name, type: SOA, recursive },
    )
    if (answer?.rcode !== 0) throw new Error(`${fault ?? answer?.rcode}\n${child.output}`)
    return true
  })
}

/** A real name server (Debian package knot) on port 53 of an address of loopback, with one zone that can be exchanged. */
export class NameServer {
  readonly #folder: string
  readonly #address: string
  readonly #apex: string
  #child: Child | undefined

  constructor(t: Test, { address, apex }: { readonly address: string; readonly apex: string }) {
    this.#folder = makeFolder(t)
    this.#address = address
    this.#apex = apex
    t.teardown(() => this.stop())
  }

  /** Resolves when it answers with these records. */
  async serve(text: string): Promise<void> {
    await this.stop()
    const folder = join(this.#folder, `${this.#apex}-${this.#address}`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'zone'), text)
    writeFileSync(
      join(folder, 'knot.conf'),
      `server:
    rundir: "${folder}"
    listen: ${this.#address}@53
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "${folder}/db"
log:
  - target: stderr
    any: notice
template:
  - id: default
    storage: "${folder}"
    zonefile-sync: -1
    journal-content: none
zone:
  - domain: ${this.#apex}.
    file: zone
`,
    )
    this.#child = start('knotd', '-c', join(folder, 'knot.conf'))
    await answers(this.#address, 53, this.#apex, this.#child)
  }

  async stop(): Promise<void> {
    await this.#child?.[Symbol.asyncDispose]()
    this.#child = undefined
  }
}

/** A real resolver that finds one zone at an address, and remembers nothing. Its address and port. */
export async function startResolver(t: Test, zone: string, address: string): Promise<string> {
  const folder = makeFolder(t)
  const port = await findFreePorts([0])
  const file = join(folder, 'unbound.conf')
  writeFileSync(
    file,
    `server:
  interface: 127.0.0.1@${port}
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  do-ip6: no
  module-config: "iterator"
  num-threads: 1
  cache-max-ttl: 0
  cache-max-negative-ttl: 0
  infra-host-ttl: 0
  username: ""
  chroot: ""
  directory: "${folder}"
  pidfile: ""
  use-syslog: no
  logfile: ""
remote-control:
  control-enable: no
stub-zone:
  name: "${zone}."
  stub-addr: ${address}
`,
  )
  const child = start('unbound', '-d', '-p', '-c', file)
  t.teardown(() => child[Symbol.asyncDispose]())
  await answers('127.0.0.1', port, zone, child, true)
  return `127.0.0.1:${port}`
}
