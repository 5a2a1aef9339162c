import { writeFileSync } from 'node:fs'
import t from 'tap'
import { controlSocketPath } from '../../cli/dev/socket-path.ts'
import type { Change, Hostname, OwnerName } from '../../core/index.ts'
import { eventually } from '../support/eventually.ts'
import { rootHints, startParents, startResolver } from './support/name-servers.ts'
import { NetworkedCluster } from './support/networked-cluster.ts'
import { Scene } from './support/scene.ts'

/** A resolver finds the zone from a root of its own, as the resolvers of the world find a zone from theirs. */

t.setTimeout(0)
const APEX = 'example.test' as Hostname
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const net = await NetworkedCluster.start(scene, {
  others: ['parents', 'resolver'],
  health: { check_interval: 1, dns_timeout: 1, http_timeout: 1 },
})
t.teardown(() => net[Symbol.asyncDispose]())
const [parents, resolver] = [net.host('parents'), net.host('resolver')]
const nodes = net.daemons.map(({ name }) => net.host(name))
const addresses = nodes.map(({ ipv4 }) => ipv4)

const record = (name: string, type: string, ...values: string[]): Change => ({
  kind: 'record.set',
  domain: APEX,
  name: name as OwnerName,
  type,
  ttl: 300,
  values,
})
await net.commit(
  { kind: 'domain.set', domain: APEX, spa: false, onConcurrent: 'latest', previews: true },
  { kind: 'alias.set', domain: APEX, host: `www.${APEX}` as Hostname },
  record('@', 'MX', `10 mail.${APEX}.`),
  record('mail', 'A', '198.51.100.200'),
  record('text', 'TXT', '"from the zone"'),
  record('*.wild', 'TXT', '"from the wildcard"'),
)
await net.cluster.agreement()
const delegates = nodes.map(({ name, ipv4 }) => ({ name: `${name}.ns.${APEX}`, ipv4 }))
const above = await startParents(parents, scene, APEX, delegates)
t.teardown(() => above[Symbol.asyncDispose]())
const unbound = await startResolver(resolver, scene, rootHints(parents), APEX)
t.teardown(() => unbound[Symbol.asyncDispose]())

/** What the resolver finds; it may have to wait for a name server that is dead, and dig says so when it asks again. */
async function resolve(name: string, type: string): Promise<string[]> {
  const text = await resolver.run('dig', '+short', '+tries=3', '+time=10', `@${resolver.ipv4}`, name, type)
  return text.split('\n').filter((line) => line !== '' && !line.startsWith(';;'))
}

t.test('names resolve through the root, the parent and the nodes', async (t) => {
  for (const name of [APEX, `www.${APEX}`]) {
    const got = await resolve(name, 'A')
    t.equal(got.length, 1, `one address of ${name}`)
    t.ok(addresses.includes(got[0] as string), `${got[0]} is a node's`)
  }
  t.strictSame(await resolve(`text.${APEX}`, 'TXT'), ['"from the zone"'])
  t.strictSame(await resolve(`a.b.wild.${APEX}`, 'TXT'), ['"from the wildcard"'])
  t.strictSame(await resolve(APEX, 'MX'), [`10 mail.${APEX}.`])
  const missing = await resolver.run('dig', `@${resolver.ipv4}`, `missing.${APEX}`, 'A')
  t.match(missing, /status: NXDOMAIN/)
})

t.test('every node answers the resolver', async (t) => {
  for (let i = 0; i < 60; i++) await resolve(`n${i}.wild.${APEX}`, 'TXT')
  for (const { name, layout } of net.daemons) {
    const socket = controlSocketPath(layout, {})
    const { stdout: metrics } = await scene.run('curl', ['-s', '--unix-socket', socket, 'http://node/metrics'])
    const [, udp = '0'] = /^makiatto_dns_queries_total\{transport="udp"\} (\d+)$/m.exec(metrics) ?? []
    t.ok(Number(udp) > 0, `${name} was asked ${udp} times`)
  }
})

t.test('zonemaster finds no error in the delegation', async (t) => {
  writeFileSync(scene.path('zonemaster.hints'), rootHints(parents))
  const args = ['--hints', scene.path('zonemaster.hints'), '--no-ipv6', '--no-progress', '--raw', '--no-time']
  const text = await resolver.run('zonemaster-cli', ...args, '--level', 'NOTICE', APEX)
  const results = [...text.matchAll(/^\s*[0-9.]+\s+(NOTICE|WARNING|ERROR|CRITICAL)\s+([A-Z0-9_]+).*$/gm)]
  t.ok(results.length > 0, 'it looked')
  const ignored = ['NAMESERVER_IP_PRIVATE_NETWORK', 'NAMESERVER_IP_WITHOUT_REVERSE']
  const serious = results.filter(
    ([, level = '', tag = '']) => ['ERROR', 'CRITICAL'].includes(level) && !ignored.includes(tag),
  )
  t.strictSame(
    serious.map(([line]) => line),
    [],
  )
  t.comment(text)
})

t.test('a node that dies is answered by nobody, and the resolver goes on', async (t) => {
  const [victim, ...others] = net.daemons as [(typeof net.daemons)[0], ...(typeof net.daemons)[0][]]
  const dead = net.host(victim.name).ipv4
  /** What a node gives to clients at unknown places, which are spread over all that is well. */
  const spread = async (name: string) => {
    const questions = Array.from({ length: 24 }, (_, i) => [APEX, 'A', `+subnet=203.0.${i * 9}.0/24`]).flat()
    return resolver.run('dig', '+short', `@${net.host(name).ipv4}`, ...questions)
  }
  for (const { name } of others)
    t.ok((await spread(name)).includes(dead), `${name} sends visitors there while it lives`)
  await victim.powerOff()
  await eventually('its address to leave all answers', async () => {
    for (const { name } of others) if ((await spread(name)).includes(dead)) throw new Error(`${name} names ${dead}`)
    return true
  })
  for (let i = 0; i < 20; i++) {
    const [got] = await resolve(i % 2 === 0 ? APEX : `www.${APEX}`, 'A')
    t.ok(got !== dead && addresses.includes(got as string), `${got} is alive`)
  }
})
