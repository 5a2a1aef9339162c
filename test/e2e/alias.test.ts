import t from 'tap'
import { controlSocketPath } from '../../cli/dev/socket-path.ts'
import { createOperation, decodeOperation, type Hostname, nextStamp, type OwnerName } from '../../core/index.ts'
import { Upstream } from '../dns/upstream.ts'
import { eventually } from '../support/eventually.ts'
import { DaemonCluster, listOperations } from './support/daemons.ts'
import { Scene } from './support/scene.ts'

/** An ALIAS at the apex of a real node, whose resolver answers, changes its mind, lies, and dies. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const APEX = 'shop.test' as Hostname

const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const cluster = await DaemonCluster.make(scene, { nodes: 1 })
t.teardown(() => cluster[Symbol.asyncDispose]())
const [node] = cluster.daemons
if (node === undefined) throw new Error('the cluster has no node')

async function dig(type: string, name: string = APEX): Promise<string> {
  const args = ['@127.0.0.1', '-p', String(scene.dnsPort), '+short', '+tries=3', name, type]
  const { stdout } = await scene.run('dig', args)
  return stdout.trim().split('\n').sort().join(' ')
}

const answers = (type: string, expected: string) =>
  eventually(`${type} ${expected}`, async () => ((await dig(type)) === expected ? true : undefined))

async function setAlias(target: string): Promise<void> {
  const all = (await listOperations(node!.client)).map((bytes) => decodeOperation(bytes, cluster.id))
  const followed = new Set(all.flatMap(({ heads }) => heads))
  const heads = all.filter(({ id }) => !followed.has(id))
  const stamp = nextStamp(
    0,
    heads.map((head) => head.stamp),
  )
  const name = '@' as OwnerName
  const operation = createOperation(cluster.operator, cluster.id, {
    stamp,
    heads: heads.map(({ id }) => id),
    changes: [
      { kind: 'domain.set', domain: APEX, spa: false, onConcurrent: 'latest', previews: true },
      { kind: 'record.set', domain: APEX, name, type: 'ALIAS', ttl: 300, values: [target] },
    ],
  })
  await node!.client.accept([operation.bytes])
}

t.test('the apex has the addresses of its target, also when nobody can be asked any more', async (t) => {
  const upstream = await Upstream.start()
  {
    await using _ = upstream
    node.configure((text) => text.replace('[dns]\n', `[dns]\nresolvers = ["127.0.0.1:${upstream.port}"]\n`))
    upstream.set('apps.example.net', {
      addresses: ['1.1.1.1', '10.0.0.7', '2606:4700::1111'],
      chain: ['x.cdn.example'],
    })
    await node.start()
    await setAlias('apps.example.net.')
    await answers('A', '1.1.1.1')
    await answers('AAAA', '2606:4700::1111')
    t.match(await dig('SOA'), /^node1\.ns\.shop\.test\. /, 'beside what the apex needs')
    await node.event('alias.addresses-refused', '10.0.0.7')
    const asked = upstream.asked.length
    for (let i = 0; i < 50; i++) await dig('A')
    t.equal(upstream.asked.length, asked, 'questions ask nobody')
    upstream.set('moved.example.net', { addresses: ['9.9.9.9'] })
    await setAlias('moved.example.net.')
    await answers('A', '9.9.9.9')
    t.equal(await dig('AAAA'), '')
    upstream.set('rebound.example.net', { addresses: ['127.0.0.1', '169.254.169.254', '::1'] })
    await setAlias('rebound.example.net.')
    await answers('A', '')
    await setAlias('moved.example.net.')
    await answers('A', '9.9.9.9')
    const { aliases } = await node.client.status()
    t.match(aliases, [{ target: 'moved.example.net', ipv4: ['9.9.9.9'], failing: null }])
    const explained = await node.client.explain({ name: APEX, type: 'A', client: undefined, resolver: undefined })
    t.match(explained.steps, [
      { step: 'look-up', found: 'set', kind: 'alias' },
      { step: 'resolved', target: 'moved.example.net', found: { ipv4: ['9.9.9.9'] } },
    ])
    t.match(explained.answers, [{ type: 'A', value: '9.9.9.9' }])
    const socket = controlSocketPath(node.layout, {})
    const metrics = await scene.run('curl', ['-s', '--unix-socket', socket, 'http://node/metrics'])
    t.match(metrics.stdout, /makiatto_alias_targets\{state="resolved"\} 1\n/)
  }
  await node.stop()
  await node.start()
  t.equal(await dig('A'), '9.9.9.9', 'from the first answer on')
  await node.event('alias.failed', 'no resolver can be reached')
  t.equal(await dig('A'), '9.9.9.9')
  await node.kill()
  await node.start()
  t.equal(await dig('A'), '9.9.9.9', 'after kill -9 too')
  t.match((await node.client.status()).aliases, [{ ipv4: ['9.9.9.9'] }])
})
