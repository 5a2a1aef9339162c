import t, { type Test } from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { type Change, type Hostname, listNodes, type OwnerName, silentLog } from '../../../core/index.ts'
import { buildZone, Steering, startDnsServer, ZoneTable } from '../../../dns/index.ts'
import { serviceOf } from '../../dns/answering.ts'
import { startTestCluster, type TestCluster } from '../support/test-cluster.ts'
import { addressOf, NameServer, startResolver } from './parents.ts'

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const PARENT = addressOf(1)
const OLD = addressOf(3)
const APEX = 'example.com' as Hostname

const record = (name: string, type: string, ...values: string[]): Change =>
  ({ kind: 'record.set', domain: APEX, name: name as OwnerName, type, ttl: 300, values }) as Change

/** Every node answers, with a real server, for what its replica has. */
async function serveDns(t: Test, cluster: TestCluster): Promise<void> {
  const ports = new Map<string, number>()
  for (const [i, { name, replica }] of cluster.nodes.entries()) {
    const table = () => {
      const zone = buildZone(replica.state, APEX, listNodes(replica.state))?.zone
      return ZoneTable.of(zone === undefined ? [] : [zone])
    }
    const steering = new Steering(listNodes(replica.state), new Map(), 1)
    const service = serviceOf(table, { steering })
    const host = `127.0.0.${i + 1}`
    const server = await startDnsServer({ service, host, port: 0, log: silentLog, runtime: systemRuntime })
    t.teardown(() => server[Symbol.asyncDispose]())
    ports.set(name, server.address.port)
  }
  for (const node of cluster.nodes)
    node.statusOf = (nodes) =>
      nodes.map((one) => {
        const dns = ports.get(one.name)
        return dns === undefined ? one : { ...one, serves: { dns } }
      })
}

/** The zone above, with a delegation of `example.com` in the midst. */
const parentZone = (...lines: string[]): string => `$ORIGIN com.
$TTL 3600
@ SOA a.nic.com. ops.nic.com. 1 3600 900 1209600 60
@ NS a.nic.com.
a.nic A ${PARENT}
old.hoster A ${OLD}
${lines.join('\n')}
`

const RIGHT = [
  'example NS one.ns.example',
  'example NS two.ns.example',
  'one.ns.example A 127.0.0.1',
  'two.ns.example A 127.0.0.2',
]
const DS = `example 7200 DS 12345 13 2 ${'AB'.repeat(32)}`

interface Setup {
  readonly domain: string
  readonly nameServers: readonly { readonly name: string; readonly addresses: readonly string[] }[]
  readonly check: {
    readonly state: string
    readonly parent: string | null
    readonly records: { readonly present: number; readonly same: number; readonly onlyHere: number } | null
    readonly findings: readonly { level: string; code: string; message: string; todo: string | null }[]
  }
}

t.test('what is to be entered is told', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  const { code, stdout } = await cluster.maki('dns', 'nameserver-setup')
  t.equal(code, 0)
  t.match(stdout, /registrar of example\.com/)
  t.match(stdout, /one\.ns\.example\.com {2}127\.0\.0\.1\n {2}two\.ns\.example\.com {2}127\.0\.0\.2\n/)
  t.match(await cluster.json('dns', 'nameserver-setup', 'example.com'), [
    { domain: APEX, nameServers: [{ name: 'one.ns.example.com', addresses: ['127.0.0.1'] }, {}], within: null },
  ])
  t.match(await cluster.maki('dns', 'nameserver-setup', 'exmaple.com'), { code: 4, stderr: /Try: example\.com/ })
  for (const resolver of ['localhost', '1.2.3.4:0', '1.2.3.4:99999', '[1.2.3.4]:53', '[::1', '::1:x'])
    t.match(await cluster.maki('dns', 'nameserver-setup', '--resolver', resolver), {
      code: 2,
      stderr: /no.*resolver|not the address/,
    })
})

t.test('a delegation is checked at real name servers of the zone above', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  await serveDns(t, cluster)
  const parent = new NameServer(t, { address: PARENT, apex: 'com' })
  await parent.serve(parentZone(...RIGHT))
  const resolver = await startResolver(t, 'com', PARENT)
  const args = ['dns', 'nameserver-setup', '--check', 'example.com', '--resolver', resolver]
  const check = async () => {
    const { code, stdout } = await cluster.maki(...args, '--json')
    const [setup] = JSON.parse(stdout) as Setup[]
    const wrong = setup?.check.findings.filter(({ level }) => level === 'wrong') ?? []
    return { code, ...(setup as Setup).check, wrong, codes: wrong.map((finding) => finding.code) }
  }

  await t.test('right', async (t) => {
    t.match(await check(), { code: 0, state: 'ours', parent: 'com', records: null, findings: [] })
    const shown = await cluster.maki(...args)
    t.match(shown, {
      code: 0,
      stdout: /^example\.com: right, at com and here\nright answered .*one \(127\.0\.0\.1\), two/,
    })
  })

  await t.test('glue that is old is named with its new value', async (t) => {
    await parent.serve(parentZone(...RIGHT.slice(0, 3), 'two.ns.example A 192.0.2.99'))
    const { code, wrong, codes } = await check()
    t.strictSame([code, codes], [1, ['glue-stale']])
    t.match(wrong[0]?.message, '192.0.2.99')
    t.match(wrong[0]?.todo, 'two.ns.example.com 127.0.0.2')
  })

  await t.test('a name server that is missing, one that is strange, and one without glue', async (t) => {
    await parent.serve(parentZone('example NS one.ns.example', 'example NS old.hoster'))
    const { code, codes, state } = await check()
    t.strictSame([code, state, [...codes].sort()], [1, 'partly', ['glue-missing', 'server-missing', 'server-strange']])
  })

  await t.test('a DS that was left is said in capitals', async (t) => {
    await parent.serve(parentZone(...RIGHT, DS))
    t.match(await check(), { code: 1, codes: ['ds-left'] })
    const { stdout } = await cluster.maki(...args)
    t.match(stdout, /A DS RECORD IS LEFT AT COM \(KEY TAG 12345\): .*SERVFAIL NOW FOR EXAMPLE\.COM/)
    t.match(stdout, /switch DNSSEC off there.*2 hours later/)
  })

  await t.test('nobody is named', async (t) => {
    await parent.serve(parentZone())
    t.match(await check(), { code: 1, state: 'nobody', codes: ['not-delegated'] })
  })

  await t.test('a node that is lame is named', async (t) => {
    await parent.serve(parentZone(...RIGHT))
    const [one] = cluster.nodes
    if (one === undefined) return
    const { statusOf } = one
    one.statusOf = (nodes) =>
      statusOf(nodes).map((node) => (node.name === 'two' ? { ...node, serves: { dns: 53 } } : node))
    const found = await check()
    t.match(found, { code: 1, codes: ['node-lame'] })
    t.match(found.wrong[0]?.message, /^two \(127\.0\.0\.2\) does not answer for example\.com/)
    one.statusOf = statusOf
  })

  await t.test('nobody can be asked', async (t) => {
    await parent.stop()
    t.match(await check(), { code: 1, state: 'unknown', codes: ['parent-silent'] }, 'but for our nodes')
    for (const node of cluster.nodes) node.statusOf = (nodes) => nodes
    t.match(await check(), { code: 3, state: 'unknown' })
  })
})

t.test('before a switch the records of the present name servers are compared with ours', async (t) => {
  await using cluster = await startTestCluster({ nodes: ['one', 'two'] })
  await serveDns(t, cluster)
  const parent = new NameServer(t, { address: PARENT, apex: 'com' })
  await parent.serve(parentZone('example NS old.hoster', DS))
  const old = new NameServer(t, { address: OLD, apex: 'example.com' })
  await old.serve(`$ORIGIN example.com.
$TTL 600
@ SOA old.hoster.com. ops.hoster.com. 7 3600 900 1209600 60
@ NS old.hoster.com.
@ A 192.0.2.80
@ MX 10 mx-eu.example.com.
@ TXT "v=spf1 mx -all"
mx-eu A 192.0.2.25
www CNAME example.com.
_dmarc TXT "v=DMARC1; p=none; it's \\"quoted\\" \\027[31m"
mail A 192.0.2.26
blog CNAME pages.example.net.
sub NS ns.sub.example.net.
*.example.com. TXT "any"
`)
  const resolver = await startResolver(t, 'com', PARENT)
  for (const node of cluster.nodes)
    await cluster.write(node, [
      record('@', 'MX', '10 mx-eu.example.com.'),
      record('mail', 'A', '192.0.2.99'),
      record('sub', 'NS', 'ns.sub.example.net.'),
      record('ours', 'A', '192.0.2.1'),
    ])
  const args = ['dns', 'nameserver-setup', '--check', 'example.com', '--resolver', resolver]
  const { code, stdout } = await cluster.maki(...args, '--json')
  const [setup] = JSON.parse(stdout) as [Setup]
  const { findings, records, state } = setup.check
  t.equal(code, 1)
  t.equal(state, 'elsewhere')
  const of = (code: string) => findings.filter((finding) => finding.code === code)
  t.strictSame(
    of('record-missing')
      .map(({ message }) => message.split(' is ')[0])
      .sort(),
    [
      '*.example.com TXT',
      '_dmarc.example.com TXT',
      'blog.example.com CNAME',
      'example.com TXT',
      'mx-eu.example.com A',
      'www.example.com CNAME',
    ],
  )
  t.match(
    of('record-differs').map(({ message, todo }) => `${message}: ${todo}`),
    [
      /^mail\.example\.com A is 192\.0\.2\.26 at old\.hoster\.com, and 192\.0\.2\.99 here: .*maki record set example\.com mail A 192\.0\.2\.26 --ttl 600/,
    ],
  )
  t.match(
    of('record-moves'),
    [{ level: 'note', message: /^example\.com A is 192\.0\.2\.80/ }],
    'that is the point of it',
  )
  t.match(of('ds-left'), [{ message: /FROM THE SWITCH ON/ }])
  t.ok((records?.same ?? 0) >= 2, 'MX and the delegation below')

  const shown = await cluster.maki(...args)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is there is what is shown
  t.notMatch(shown.stdout, /[\u0000-\u0009\u000b-\u001f]/, 'nothing that a terminal would obey')
  const line = shown.stdout.split('\n').find((text) => text.includes('record add example.com _dmarc'))
  t.match(
    line,
    String.raw`maki record add example.com _dmarc TXT '"v=DMARC1; p=none; it'\''s \"quoted\" \027[31m"' --ttl 600`,
  )

  await t.test('what it says is typed, and then only the switch is left', async (t) => {
    for (const { todo } of [...of('record-missing')]) {
      const words = splitWords(todo ?? '').slice(1)
      t.match(await cluster.maki(...words, '--node', 'one'), { code: 0 }, todo ?? '')
    }
    await cluster.maki('record', 'set', 'example.com', 'mail', 'A', '192.0.2.26')
    await old.serve(`$ORIGIN example.com.
@ 600 SOA old.hoster.com. ops.hoster.com. 7 3600 900 1209600 60
@ 600 NS old.hoster.com.
mail 600 A 192.0.2.26
`)
    await parent.serve(parentZone('example NS old.hoster'))
    const again = JSON.parse((await cluster.maki(...args, '--json')).stdout) as [Setup]
    const codes = again[0].check.findings.filter(({ level }) => level === 'wrong').map((finding) => finding.code)
    t.strictSame(
      codes.filter((code) => code !== 'node-differs'),
      ['not-switched'],
    )
  })
})

/** As a shell does: what it prints can be typed. */
const splitWords = (line: string): string[] =>
  [...line.matchAll(/(?:'[^']*'|\\'|[^\s'\\])+/g)].map(([word]) =>
    word.replace(/'([^']*)'|\\(')/g, (_all, quoted?: string, escaped?: string) => quoted ?? escaped ?? ''),
  )
