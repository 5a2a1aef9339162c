import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type Change, listNodes, type NodeName } from '../../../core/index.ts'
import { formatRdata } from '../../../dns/rdata/rdata.ts'
import { formatType, TYPE_CODES } from '../../../dns/wire/codes.ts'
import { buildAutomatic } from '../../../dns/zone/automatic-records.ts'
import { buildZone, listReplaced } from '../../../dns/zone/build-zone.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import {
  aliasSet,
  ClusterState,
  domainSet,
  drain,
  host,
  nodeJoin,
  nodeKey,
  owner,
  recordSet,
} from '../cluster-state.ts'
import { zoneText } from './zone-text.ts'

const apex = host('example.com')

function built(cluster: ClusterState, domain = apex) {
  const zone = buildZone(cluster.state, domain)
  if (zone === undefined) throw new Error(`no zone ${domain}`)
  return zone
}

function clusterWith(...changes: Change[]): ClusterState {
  const cluster = new ClusterState()
  cluster.commit(...changes)
  return cluster
}

function values(cluster: ClusterState, name: string, type: keyof typeof TYPE_CODES): string[] | undefined {
  const set = built(cluster).zone.findSet(name, TYPE_CODES[type])
  return set?.kind === 'fixed' ? set.rrset.rdata.map(formatRdata) : undefined
}

const kinds = (cluster: ClusterState, name: string) =>
  built(cluster)
    .zone.listSets(name)
    .map(({ kind, type }) => `${kind} ${formatType(type)}`)

t.test('the whole content of a zone', async (t) => {
  const cluster = new ClusterState()
  cluster.commit(
    domainSet('example.com'),
    aliasSet('example.com', 'www.example.com'),
    aliasSet('example.com', 'a.b.example.com'),
    aliasSet('example.com', 'elsewhere.example.org'),
  )
  cluster.commit(
    nodeJoin(1, 'tokyo'),
    nodeJoin(2, 'berlin', { ipv6: null }),
    nodeJoin(3, 'lima', { nameserver: false }),
  )
  cluster.commit(nodeJoin(4, 'oslo', { drained: true }), nodeJoin(5, 'twin', { ipv4: '192.0.2.1', nameserver: false }))
  cluster.commit(
    recordSet('example.com', '@', 'MX', ['10 mail.example.com.', '20 mail.example.net.']),
    recordSet('example.com', '@', 'TXT', ['"v=spf1 -all"', '"one" "two \\"quoted\\" \\195\\169"']),
    recordSet('example.com', 'mail', 'A', ['198.51.100.25']),
    recordSet('example.com', 'www', 'AAAA', ['2001:db8:ffff::1']),
    recordSet('example.com', 'docs', 'CNAME', ['docs.example.net.'], 60),
    recordSet('example.com', '_dmarc', 'TXT', ['"v=DMARC1; p=none"']),
    recordSet('example.com', 'x.y.z', 'A', ['198.51.100.1']),
    recordSet('example.com', '*.wild', 'TXT', ['"any"']),
    recordSet('example.com', 'shop', 'ALIAS', ['shop.example.net.']),
    recordSet('example.com', '_sip._tcp', 'SRV', ['1 2 5060 mail.example.com.']),
    recordSet('example.com', 'lab', 'NS', ['ns.lab.example.com.']),
    recordSet('example.com', 'ns.lab', 'A', ['198.51.100.53']),
    recordSet('example.com', 'old', 'TYPE65280', ['\\# 2 C0DE']),
    { ...recordSet('example.com', 'cdn', 'A', []), geo: true } as Change,
  )
  const { zone, faults } = built(cluster)
  const file = fileURLToPath(new URL('zone.golden.txt', import.meta.url))
  if (process.env.GOLDEN === 'write') writeFileSync(file, zoneText(zone))
  t.equal(zoneText(zone), readFileSync(file, 'utf8'))
  t.strictSame(faults, [])
})

t.test('a redirected domain has the same zone; a removed one has none', async (t) => {
  const [site, redirect] = [new ClusterState(), new ClusterState()]
  site.commit(domainSet('example.com'), nodeJoin(1, 'tokyo'))
  redirect.commit(domainSet('example.com', { redirect: 'https://new.example' }), nodeJoin(1, 'tokyo'))
  t.equal(zoneText(built(site).zone), zoneText(built(redirect).zone))
  site.commit({ kind: 'domain.remove', domain: apex })
  t.equal(buildZone(site.state, apex), undefined)
})

t.test(
  'what the nodes fill stays in the zone whoever is drained, and goes with the last address of its family',
  async (t) => {
    const cluster = new ClusterState()
    cluster.commit(domainSet('example.com'), nodeJoin(1, 'a'), nodeJoin(2, 'b', { ipv6: null }))
    t.strictSame(kinds(cluster, 'example.com').slice(-2), ['nodes A', 'nodes AAAA'])
    cluster.commit(drain(1), drain(2))
    t.strictSame(kinds(cluster, 'example.com').slice(-2), ['nodes A', 'nodes AAAA'])
    t.strictSame(values(cluster, 'a.ns.example.com', 'A'), ['192.0.2.1'], 'a drained node still answers DNS')
    cluster.commit({ ...recordSet('example.com', 'cdn', 'AAAA', []), geo: true } as Change)
    t.strictSame(kinds(cluster, 'cdn.example.com'), ['nodes AAAA'])
    cluster.commit({ kind: 'node.remove', key: nodeKey(1), how: 'retire' })
    t.strictSame(kinds(cluster, 'example.com').slice(-1), ['nodes A'])
    t.strictSame(kinds(cluster, 'cdn.example.com'), [], 'the name stays, without an address')
  },
)

for (const seed of seeds(30)) {
  t.test(`there is a set for every family that any node has (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const cluster = new ClusterState()
    cluster.commit(domainSet('example.com'), aliasSet('example.com', 'www.example.com'))
    for (let step = 0; step < 12; step++) {
      const number = 1 + random.integer(5)
      const missing = random.pick(['ipv4', 'ipv6', 'none', 'none'])
      const drained = random.chance(0.5)
      const options = { drained, ...(missing === 'none' ? {} : { [missing]: null }) }
      cluster.commit(random.pick([nodeJoin(number, `n${number}`, options), drain(number, random.chance(0.8))]))
      const nodes = listNodes(cluster.state)
      for (const name of ['example.com', 'www.example.com']) {
        const sets = kinds(cluster, name)
        const expected = [nodes.some((node) => node.ipv4 !== null), nodes.some((node) => node.ipv6 !== null)]
        t.strictSame([sets.includes('nodes A'), sets.includes('nodes AAAA')], expected, name)
      }
    }
  })
}

t.test('an explicit record replaces ours at its name and type, a CNAME all of ours at its name', async (t) => {
  const cluster = new ClusterState()
  const add = (...changes: Parameters<typeof cluster.commit>) => cluster.commit(...changes)
  add(domainSet('example.com'), aliasSet('example.com', 'www.example.com'), aliasSet('example.com', 'm.example.com'))
  add(nodeJoin(1, 'tokyo'))
  add(
    recordSet('example.com', 'www', 'A', ['198.51.100.1']),
    recordSet('example.com', 'm', 'CNAME', ['m.example.net.']),
  )
  t.strictSame(values(cluster, 'www.example.com', 'A'), ['198.51.100.1'])
  t.strictSame(kinds(cluster, 'www.example.com'), ['fixed A', 'nodes AAAA'])
  t.strictSame(kinds(cluster, 'm.example.com'), ['fixed CNAME'])
  const domain = { apex, aliases: [host('www.example.com')] }
  const replaced = (name: string, type: string) =>
    listReplaced(domain, listNodes(cluster.state), { name: owner(name), type })
  t.strictSame(replaced('www', 'A'), ['A'])
  t.strictSame(replaced('www', 'CNAME'), ['A', 'AAAA'])
  t.strictSame(replaced('www', 'ALIAS'), ['A', 'AAAA'])
  t.strictSame(replaced('@', 'NS'), ['NS'])
  t.strictSame(replaced('@', 'CAA'), ['CAA'])
  t.strictSame(replaced('@', 'TXT'), [])
  t.strictSame(replaced('other', 'A'), [])
})

t.test('a CNAME that a merge left beside other records: the last word stays', async (t) => {
  const cname = recordSet('example.com', 'www', 'CNAME', ['www.example.net.'])
  const text = recordSet('example.com', 'www', 'TXT', ['"hello"'])
  const types = (...concurrent: Parameters<ClusterState['commitConcurrently']>) => {
    const cluster = new ClusterState()
    cluster.commit(domainSet('example.com'), nodeJoin(1, 'tokyo'))
    cluster.commitConcurrently(...concurrent)
    const { zone, faults } = built(cluster)
    return {
      types: zone.listSets('www.example.com').map(({ type }) => type),
      faults: faults.map((fault) => fault.type),
    }
  }
  t.strictSame(types([cname], [text]), { types: [TYPE_CODES.TXT], faults: ['CNAME'] })
  t.strictSame(types([text], [cname]), { types: [TYPE_CODES.CNAME], faults: ['TXT'] })
})

t.test('records that make no sense are left out and named; the rest is answered', async (t) => {
  const cluster = new ClusterState()
  const deep = `${'a.'.repeat(115)}a`
  const big = Array.from({ length: 20 }, (_, i) =>
    Array(12)
      .fill(`"${String(i % 10).repeat(250)}${i}"`)
      .join(' '),
  )
  cluster.commit(domainSet('example.com'), nodeJoin(1, 'tokyo'))
  cluster.commit(
    recordSet('example.com', 'good', 'A', ['198.51.100.1']),
    recordSet('example.com', 'bad', 'A', ['198.51.100.1', 'nonsense']),
    recordSet('example.com', '@', 'CNAME', ['example.net.']),
    recordSet('example.com', 'srv', 'SRV', ['1 2 x.example.com.']),
    recordSet('example.com', '*.cut', 'NS', ['ns.example.net.']),
    recordSet('example.com', '@', 'DS', ['1 13 2 00']),
    recordSet('example.com', 'rrsig', 'RRSIG', ['x']),
    recordSet('example.com', 'both', 'ALIAS', ['a.example.net.']),
    recordSet('example.com', 'both', 'A', ['198.51.100.1']),
    recordSet('example.com', 'two', 'CNAME', ['a.example.net.', 'b.example.net.']),
    recordSet('example.com', 'big', 'TXT', big),
  )
  const { zone, faults } = built(cluster)
  t.strictSame(faults.map((fault) => `${fault.name} ${fault.type}`).sort(), [
    '*.cut.example.com NS',
    'bad.example.com A',
    'big.example.com TXT',
    'both.example.com ALIAS',
    'example.com CNAME',
    'example.com DS',
    'rrsig.example.com RRSIG',
    'srv.example.com SRV',
    'two.example.com CNAME',
  ])
  t.ok(zone.findName('good.example.com'))
  t.notOk(zone.findName('bad.example.com'))
  t.strictSame(kinds(cluster, 'both.example.com'), ['fixed A', 'alias AAAA'])
  const long = `${'x'.repeat(60)}.com`
  cluster.commit(domainSet(long), recordSet(long, deep, 'A', ['198.51.100.1']))
  t.match(built(cluster, host(long)).faults, [{ type: 'A', fault: /too long/ }])
})

t.test('an address that no record can hold is left out, whoever wrote it', async (t) => {
  const [node] = listNodes(clusterWith(nodeJoin(1, 'tokyo')).state)
  const nodes = [{ ...node!, ipv6: 'fe80::1%eth0' }]
  t.same(
    buildAutomatic(apex, { nodes, authorities: ['ca.example'] }).map(({ type }) => type),
    ['NS', 'A', 'CAA'],
  )
  const { zone } = buildZone(clusterWith(domainSet('example.com')).state, apex, nodes)!
  t.strictSame([zone.findSet(apex, TYPE_CODES.A)?.kind, zone.findSet(apex, TYPE_CODES.AAAA)], ['nodes', undefined])
})

t.test('every authority may issue, wildcards too; a CAA that is written stands alone', async (t) => {
  const cluster = clusterWith(domainSet('example.com'), nodeJoin(1, 'tokyo'))
  const caa = () => {
    const set = buildZone(cluster.state, apex, [], ['one.example', 'two.example'])?.zone.findSet(apex, TYPE_CODES.CAA)
    return set?.kind === 'fixed' ? set.rrset.rdata.map(formatRdata) : []
  }
  t.strictSame(caa(), [
    '0 issue "one.example"',
    '0 issuewild "one.example"',
    '0 issue "two.example"',
    '0 issuewild "two.example"',
  ])
  cluster.commit(recordSet('example.com', '@', 'CAA', ['0 issue ";"']))
  t.strictSame(caa(), ['0 issue ";"'])
})

t.test('a name server whose name would be too long is none', async (t) => {
  const label = `${'a'.repeat(60)}.`
  const long = host(`${label.repeat(4)}example`)
  const cluster = clusterWith(domainSet(long), nodeJoin(1, 'tokyo'))
  const { zone, faults } = built(cluster, long)
  t.equal(zone.findSet(long, TYPE_CODES.NS), undefined)
  t.match(faults, [{ type: 'NS', fault: 'no node with an address is a name server' }])
  t.equal(zone.findSet(long, TYPE_CODES.A)?.kind, 'nodes')
})

t.test('without a name server there is no NS, and it is named; thousands of name servers still fit', async (t) => {
  const cluster = new ClusterState()
  cluster.commit(domainSet('example.com'), nodeJoin(1, 'tokyo', { nameserver: false }))
  t.match(built(cluster).faults, [{ name: 'example.com', type: 'NS' }])
  const [node] = listNodes(cluster.state)
  const nodes = Array.from({ length: 3000 }, (_, i) => ({ ...node!, name: `n${i}` as NodeName, nameserver: true }))
  const many = buildZone(cluster.state, apex, nodes)
  t.match(many?.faults, [{ type: 'NS', fault: /of 3000 values fit/ }])
  const set = many?.zone.findSet(apex, TYPE_CODES.NS)
  t.ok(set?.kind === 'fixed' && set.rrset.rdata.length > 1000)
})

t.test('the serial grows with every operation on the domain or any node, and with no other', async (t) => {
  const cluster = new ClusterState()
  cluster.commit(domainSet('example.com'))
  let last = built(cluster).zone.serial
  t.equal(last, 1_700_000_000 + 1)
  const grows = (by: number, ...changes: Parameters<typeof cluster.commit>) => {
    cluster.commit(...changes)
    const { serial } = built(cluster).zone
    t.equal(serial - last, by, changes[0]?.kind ?? '')
    last = serial
  }
  grows(1, nodeJoin(1, 'tokyo'))
  grows(1, drain(1))
  grows(1, recordSet('example.com', 'www', 'A', ['198.51.100.1']))
  grows(1, { kind: 'record.remove', domain: apex, name: owner('www'), type: 'A' })
  grows(0, domainSet('example.org'))
  const www = host('www.example.com')
  grows(1, { kind: 'alias.set', domain: apex, host: www })
  grows(1, { kind: 'alias.set', domain: host('example.org'), host: www })
  t.strictSame(kinds(cluster, www), [], 'another domain took the name')
  grows(0, { kind: 'alias.set', domain: host('example.org'), host: host('www.example.org') })
  grows(1, { kind: 'node.remove', key: nodeKey(1), how: 'retire' })
})
