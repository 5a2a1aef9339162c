import t, { type Test } from 'tap'
import { eventually } from '../support/eventually.ts'
import { BareHosts } from './support/bare-hosts.ts'
import type { BootedHost } from './support/booted-hosts.ts'
import { delegateTo, Internet, TOP_LEVEL, useInternet } from './support/internet.ts'
import { MeshHistory } from './support/mesh-history.ts'
import { writeProject } from './support/project.ts'
import { Scene } from './support/scene.ts'
import { initServer, makeBundle } from './support/servers.ts'
import { Underlay } from './support/underlay.ts'

/**
 * HTTPS by itself on three servers that `maki machine init` set up: zones delegated to them by parents of the test, a resolver that finds
 * its way from the root, and certificate authorities that resolve by it and are strict.
 */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
// Mostly waits: for servers that boot, for authorities, and for what was asked for to be everywhere.
const NAMES = ['amsterdam', 'newyork', 'singapore'] as const
const ZONE = `shop.${TOP_LEVEL}`
const FOREIGN_ZONE = `elsewhere.${TOP_LEVEL}`
const FOREIGN_HOST = `www.${FOREIGN_ZONE}`
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const hosts = await BareHosts.open(scene, NAMES)
t.teardown(() => hosts[Symbol.asyncDispose]())
const { operator } = hosts
const servers = NAMES.map((name) => hosts.host(name)) as [BootedHost, BootedHost, BootedHost]
const foreign = {
  apex: FOREIGN_ZONE,
  records: servers.flatMap(({ ipv4, ipv6 }) => [`${FOREIGN_HOST}. A ${ipv4}`, `${FOREIGN_HOST}. AAAA ${ipv6}`]),
}
const internet = await Internet.open(scene, hosts.hosts, [delegateTo(ZONE, servers)], [foreign])
t.teardown(() => internet[Symbol.asyncDispose]())
const underlay = await Underlay.open(hosts.hosts, NAMES)
await makeBundle(operator)
let history: MeshHistory

/** Runs a command that has to succeed, and gives what it printed as JSON. */
async function json<T = never>(t: Test, words: readonly string[], cwd = operator.home): Promise<T> {
  const outcome = await operator.maki([...words, '--json'], { cwd })
  t.equal(outcome.code, 0, `${words.join(' ')}\n${outcome.stdout}${outcome.stderr}`)
  return JSON.parse(outcome.stdout) as T
}

t.test('three servers, a site, and a resolver that finds them by the delegation', async (t) => {
  for (const server of servers) {
    await useInternet(server)
    const { code, stdout, stderr } = await initServer(operator, server)
    t.equal(code, 0, `${stdout}${stderr}`)
  }
  history = await MeshHistory.of(operator)
  const site = writeProject(scene.path('site'), {
    domain: ZONE,
    files: { 'index.html': 'hello' },
    more: `aliases = ["www.${ZONE}", "${FOREIGN_HOST}"]`,
  })
  await json(t, ['sync'], site)
  await history.agreement(servers)
  for (const { name, ipv4, ipv6 } of servers) {
    const host = `${name}.ns.${ZONE}`
    await eventually(`${host} by the resolver`, async () => {
      const found = await internet.resolve(host, 'A')
      if (found.join() === ipv4) return true
      throw new Error(found.join())
    })
    t.strictSame(await internet.resolve(host, 'AAAA'), [ipv6])
  }
  t.equal((await internet.resolve(`www.${ZONE}`, 'A')).length, 1)
  t.strictSame(await internet.resolve(FOREIGN_HOST, 'A'), servers.map(({ ipv4 }) => ipv4).sort())
})
