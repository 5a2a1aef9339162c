import t from 'tap'
import type { Change, OwnerName } from '../../../core/index.ts'
import { announceSchema, example, startTestCluster } from '../support/test-cluster.ts'

const record = (name: string, type: string, ...values: string[]): Change => ({
  kind: 'record.set',
  domain: example,
  name: name as OwnerName,
  type,
  ttl: 60,
  values,
})

t.test('the way to an answer in words, and as JSON', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  const [node] = cluster.nodes
  await cluster.write(node!, [record('mail', 'A', '192.0.2.25'), record('www', 'CNAME', 'mail.example.com.')])
  await cluster.write(node!, [record('apps', 'ALIAS', 'x.example.net.'), record('*.any', 'TXT', '"\u001b[31m"')])
  const told = async (...argv: string[]) => {
    const { code, stdout, stderr } = await cluster.maki('dns', 'explain', ...argv)
    t.same({ code, stderr }, { code: 0, stderr: '' }, argv.join(' '))
    return stdout
  }
  t.match(
    await told('www.example.com'),
    /^www\.example\.com A, as one answers it to 127\.0\.0\.1\n\nexample\.com, serial \d+: www\.example\.com is a CNAME for mail\.example\.com, written (just now|\d+ seconds? ago) by owner \([a-z2-7]{10}\)\.\nexample\.com, serial \d+: mail\.example\.com has A, written .*\n\nNOERROR\n {2}www\.example\.com {3}60 {2}CNAME {2}mail\.example\.com\.\n {2}mail\.example\.com {2}60 {2}A {6}192\.0\.2\.25\n$/,
  )
  const nodes = await told('example.com', 'A', '--client', '198.51.100.9')
  t.match(nodes, /to 198\.51\.100\.9 \(198\.51\.100\.0\/24\)/)
  t.match(nodes, /example\.com has A, the addresses of the best nodes, which the cluster makes by itself\./)
  t.match(nodes, /Nobody knows where the network 198\.51\.100\.0\/24 is/)
  t.match(nodes, /NODE +ADDRESS +DISTANCE +STATE\n +(one|two) +127\.0\.0\.\d +- +ready +chosen\n/)
  t.match(await told('none.example.com', 'mx'), /there is no none\.example\.com.*\n\nNXDOMAIN, without an answer\n/)
  await announceSchema(cluster)
  await cluster.write(node!, [{ ...record('geo', 'AAAA'), geo: true } as Change])
  t.match(
    await told('geo.example.com', 'AAAA'),
    /geo\.example\.com has AAAA, the addresses of the nodes, and no node has one\./,
  )
  t.match(await told('geo.example.com', 'A'), /geo\.example\.com has AAAA of the nodes, and no A\./)
  t.match(await told('any.example.com'), /exists for the names below it alone/)
  t.match(await told('example.com', 'TXT'), /example\.com has A, CAA, NS, SOA, and no TXT\./)
  t.match(
    await told('apps.example.com'),
    /by an ALIAS for x\.example\.net, .*\nx\.example\.net lies outside: it was never/,
  )
  t.match(await told('www.example.org'), /It lies in no zone of this cluster\./)
  t.match(await told('example.com', 'AXFR'), /Zones are handed out to nobody/)
  const wild = await told('x.any.example.com', 'TXT')
  t.match(wild, /for which \*\.any\.example\.com stands, has TXT/)
  t.notMatch(wild, '\u001b', 'a value moves no cursor')
  t.match(await cluster.json('dns', 'explain', 'www.example.com', '--node', 'two'), {
    node: 'two',
    rcode: 'NXDOMAIN',
    steps: [{ step: 'look-up', found: 'nxdomain' }],
  })
})

t.test('a target that cannot be looked up is told of, in the status too', async (t) => {
  await using cluster = await startTestCluster()
  const node = cluster.nodes[0]!
  await cluster.write(node, [record('apps', 'ALIAS', 'x.example.net.')])
  const target = { target: 'x.example.net', ipv4: ['1.1.1.1'], ipv6: [], since: '2026-11-22T10:00:00Z' }
  t.notMatch(await cluster.maki('status'), { stdout: /alias/ })
  node.aliases = [{ ...target, failing: { since: '2026-11-22T11:00:00Z', reason: 'SERVFAIL' }, refused: ['10.0.0.1'] }]
  const { stdout } = await cluster.maki('status')
  t.match(stdout, /alias x\.example\.net: SERVFAIL \(first .*\); what it had is still answered\n/)
  t.match(stdout, /alias x\.example\.net: not public, and not answered: 10\.0\.0\.1\n/)
  t.match(await cluster.json('status'), { aliases: [{ target: 'x.example.net' }] })
  node.places = { type: 'City', built: '2026-11-22T10:00:00Z', faults: ['/x.mmdb cannot be\u001b used'] }
  t.match((await cluster.maki('status')).stdout, /places one: \/x\.mmdb cannot be\S* used\n/)
  t.match(await cluster.json('status'), { places: { faults: [/x\.mmdb/] } })
  t.match(
    (await cluster.maki('dns', 'explain', 'apps.example.com')).stdout,
    /Lookups have failed for .*: SERVFAIL\. Not public/,
  )
})

t.test('what cannot be asked, and nobody to ask', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  const explain = (...argv: string[]) => cluster.maki('dns', 'explain', ...argv)
  t.match(await explain('https://example.com/'), {
    code: 2,
    stderr: /the address of a page\nTry: Write its host alone/,
  })
  t.match(await explain('a..b'), { code: 2, stderr: /is no name to ask for: .*\nTry: / })
  t.match(await explain('example.com', 'AAA'), { code: 2, stderr: /is no type to ask for.*\nTry: / })
  t.match(await explain('example.com', 'ALIAS'), { code: 2, stderr: /Try: .*A or AAAA/ })
  t.match(await explain('example.com', '--client', '1.2.3'), { code: 2, stderr: /Try: .*203\.0\.113/ })
  t.match(await explain('example.com', '--resolver', 'dns.example'), { code: 2 })
  t.match(await explain(), { code: 2 })
  t.match(await explain('example.com', '--offline'), { code: 3, stderr: /no node is asked with --offline/ })
  await cluster.nodes[1]!.stop()
  t.match(await explain('example.com', '--node', 'two'), { code: 3, stderr: /two cannot be reached/ })
  t.match(await explain('example.com'), { code: 0 })
  await cluster.nodes[0]!.stop()
  t.match(await explain('example.com'), { code: 3, stderr: /no node can be reached/ })
})
