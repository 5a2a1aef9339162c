import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Child } from '../../support/child.ts'
import { eventually } from '../../support/eventually.ts'
import type { Host } from './network.ts'
import type { Scene } from './scene.ts'

/** A name server of the delegation: name without the final dot, and its address. */
export interface Delegate {
  readonly name: string
  readonly ipv4: string
}

/** Starts Knot as the root and as the one top-level domain, which delegates `apex` and has `more` records. Resolves when it answers. */
export async function startParents(
  host: Host,
  scene: Scene,
  apex: string,
  delegates: readonly Delegate[],
  more: readonly string[] = [],
): Promise<Child> {
  const folder = scene.path('parents')
  const [, tld = ''] = /\.([^.]+)$/.exec(apex) ?? []
  mkdirSync(folder, { recursive: true })
  const second = await secondAddress(host)
  writeFileSync(
    join(folder, 'root.zone'),
    `$TTL 3600
. SOA a.root. ops.root. 1 3600 900 1209600 60
. NS a.root.
. NS b.root.
a.root. A ${host.ipv4}
b.root. A ${second}
${tld}. NS a.ns.${tld}.
${tld}. NS b.ns.${tld}.
a.ns.${tld}. A ${host.ipv4}
b.ns.${tld}. A ${second}
`,
  )
  const records = delegates.map(({ name, ipv4 }) => `${apex}. NS ${name}.\n${name}. A ${ipv4}\n`)
  writeFileSync(
    join(folder, 'tld.zone'),
    `$TTL 3600
${tld}. SOA a.ns.${tld}. ops.${tld}. 1 3600 900 1209600 60
${tld}. NS a.ns.${tld}.
${tld}. NS b.ns.${tld}.
a.ns.${tld}. A ${host.ipv4}
b.ns.${tld}. A ${second}
${[...records, ...more.map((line) => `${line}\n`)].join('')}`,
  )
  writeFileSync(
    join(folder, 'knot.conf'),
    `server:
    rundir: "${folder}"
    listen: [ "${host.ipv4}@53", "${second}@53" ]
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
zone:
  - domain: .
    file: root.zone
  - domain: ${tld}.
    file: tld.zone
`,
  )
  const child = host.start(['knotd', '-c', join(folder, 'knot.conf')], { env: scene.env })
  await eventually('the parent zones to be answered', async () => {
    const got = await host.run('dig', '+norec', '+tries=1', '+time=1', `@${second}`, apex, 'NS')
    if (!got.includes(delegates[0]?.name ?? '')) throw new Error(`${got}\n${child.output}`)
    return true
  })
  return child
}

/** The resolver starts from these. */
export const rootHints = (host: Host): string => `. 3600 IN NS a.root.\na.root. 3600 IN A ${host.ipv4}\n`

/** Starts unbound as a resolver that begins at our own root and keeps nothing for long. Resolves when it answers. */
export async function startResolver(host: Host, scene: Scene, hints: string, probe: string): Promise<Child> {
  const folder = scene.path('resolver')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'hints'), hints)
  writeFileSync(
    join(folder, 'unbound.conf'),
    `server:
  interface: ${host.ipv4}
  access-control: 0.0.0.0/0 allow
  do-ip6: no
  root-hints: "${folder}/hints"
  module-config: "iterator"
  local-zone: "test." nodefault
  num-threads: 1
  cache-max-ttl: 1
  cache-max-negative-ttl: 1
  infra-host-ttl: 1
  username: ""
  chroot: ""
  directory: "${folder}"
  pidfile: ""
  use-syslog: no
  logfile: ""
  verbosity: 1
remote-control:
  control-enable: no
`,
  )
  const child = host.start(['unbound', '-d', '-c', join(folder, 'unbound.conf')], { env: scene.env })
  await eventually('the resolver to resolve', async () => {
    const got = await host.run('dig', '+short', '+tries=1', '+time=2', `@${host.ipv4}`, probe, 'A')
    if (!/^[0-9.]+$/m.test(got)) throw new Error(`${got}\n${child.output}`)
    return true
  })
  return child
}

/** A zone should have two name servers at two addresses. */
async function secondAddress(host: Host): Promise<string> {
  const address = host.ipv4.replace(/\d+$/, (last) => String(Number(last) + 100))
  await host.run('ip', 'addr', 'add', `${address}/24`, 'dev', 'eth0')
  return address
}
