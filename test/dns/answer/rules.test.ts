import t from 'tap'
import { type Change, listNodes, type NodeView, silentLog } from '../../../core/index.ts'
import { answer } from '../../../dns/answer/answer.ts'
import { startDnsServer } from '../../../dns/server/server.ts'
import type { Locator } from '../../../dns/steering/locator.ts'
import { Steering } from '../../../dns/steering/steering.ts'
import { buildZone } from '../../../dns/zone/build-zone.ts'
import { ZoneTable } from '../../../dns/zone/zone-table.ts'
import { contextOf, serviceOf } from '../answering.ts'
import { ClusterState, domainSet, host, nodeJoin, recordSet } from '../cluster-state.ts'
import { ManualTimers } from '../server/served-zone.ts'
import { askWith } from '../server/server-conformance.ts'

/** So many that all NS fit into 1232 octets, and not all their addresses. */
const SERVERS = 25

const cluster = new ClusterState()
const record = (name: string, type: string, ...values: string[]) => recordSet('example.com', name, type, values)
const geo = (name: string, type: string): Change => ({ ...record(name, type), geo: true }) as Change
cluster.commit(nodeJoin(1, 'tokyo'), nodeJoin(2, 'berlin', { ipv6: null }))
const apexes = ['example.com', 'child.example.com', 'far.off.example.com', 'own.ranch.example.com']
cluster.commit(...apexes.map((apex) => domainSet(apex)))
cluster.commit(
  record('*.wild', 'TXT', '"any"'),
  record('host.wild', 'A', '198.51.100.1'),
  record('x.ent.wild', 'A', '198.51.100.2'),
  record('*.cw', 'CNAME', 'host.wild.example.com.'),
  geo('*.near', 'A'),
  record('*.mail', 'MX', '10 host.wild.example.com.'),
  record('*.out', 'ALIAS', 'origin.example.net.'),
  record('*', 'TXT', '"top"'),
  record('cut', 'NS', 'ns.cut.example.com.', 'ns.side.example.com.', 'ns.example.net.', 'host.wild.example.com.'),
  record('ns.cut', 'A', '198.51.100.53'),
  record('ns.cut', 'AAAA', '2001:db8:53::1'),
  record('cut', 'DS', `1 13 2 ${'AB'.repeat(32)}`),
  record('deep.cut', 'TXT', '"occluded"'),
  record('side', 'NS', 'ns.side.example.com.'),
  record('ns.side', 'A', '198.51.100.54'),
  record('child', 'NS', 'ns.example.net.'),
  record('aim', 'ALIAS', 'origin.example.net.'),
  record('own', 'ALIAS', 'nodes.near.example.com.'),
  record('chain', 'ALIAS', 'own.example.com.'),
  record('via', 'ALIAS', 'hop.example.com.'),
  record('hop', 'CNAME', 'origin.example.net.'),
  record('never', 'ALIAS', 'never.example.net.'),
  record('ring1', 'ALIAS', 'ring2.example.com.'),
  record('ring2', 'ALIAS', 'ring1.example.com.'),
  record('void', 'ALIAS', 'x.child.example.com.'),
  record('_sip._tcp', 'SRV', '1 2 5060 host.wild.example.com.'),
  record('svc', 'HTTPS', '1 . alpn=h2'),
  record('svc', 'A', '198.51.100.3'),
  record('to-child', 'CNAME', 'child.example.com.'),
  record('to-none', 'CNAME', 'none.child.example.com.'),
  record('to-cut', 'CNAME', 'deep.cut.example.com.'),
  ...Array.from({ length: SERVERS }, (_, i) => record(`ns${i}.farm`, 'A', `198.51.100.${i}`)),
  record('farm', 'NS', ...Array.from({ length: SERVERS }, (_, i) => `ns${i}.farm.example.com.`)),
  // The zone around delegates what lies around a zone of ours.
  ...Array.from({ length: SERVERS }, (_, i) => recordSet('own.ranch.example.com', `ns${i}`, 'A', [`198.51.100.${i}`])),
  record('ranch', 'NS', ...Array.from({ length: SERVERS }, (_, i) => `ns${i}.own.ranch.example.com.`)),
)
const table = ZoneTable.of(apexes.flatMap((apex) => buildZone(cluster.state, host(apex))?.zone ?? []))
const places = { tokyo: { latitude: 35, longitude: 139 }, berlin: { latitude: 52, longitude: 13 } }
const nodes = listNodes(cluster.state).map(
  (node): NodeView => ({ ...node, place: node.name === 'tokyo' ? places.tokyo : places.berlin }),
)
let looks = 0
const locator: Locator = {
  locate(_asker, subnet) {
    looks += 1
    const inAsia = subnet !== undefined && subnet.address[0] === 203
    const place = inAsia ? places.tokyo : places.berlin
    return { place, spread: 0, scopePrefix: 20, by: subnet === undefined ? 'resolver' : 'subnet', source: 'database' }
  },
}
const origin = { target: 'origin.example.net', ipv4: ['203.0.113.9'], ipv6: [], ttl: 45 }
const service = serviceOf(() => table, {
  locator,
  steering: new Steering(nodes, new Map(), 1),
  aliases: new Map([[origin.target, origin]]),
})
const runtime = new ManualTimers()
const server = await startDnsServer({ service, host: '127.0.0.1', port: 0, log: silentLog, runtime })
t.teardown(() => server.close())

interface Rule {
  readonly ask: string
  readonly status?: string
  readonly flags?: string
  readonly answer?: readonly string[]
  /** Owner and type. */
  readonly authority?: readonly string[]
  readonly additional?: readonly string[]
  readonly looks?: number
}

const SOA = ['example.com. SOA']
const NS = ['example.com. 300 IN NS']
const CUT = ['cut.example.com. NS', 'cut.example.com. NS', 'cut.example.com. NS', 'cut.example.com. NS']

const RULES: Readonly<Record<string, readonly Rule[]>> = {
  'wildcards (RFC 4592)': [
    { ask: 'a.wild TXT', answer: ['a.wild.example.com. 600 IN TXT "any"'] },
    { ask: 'a.b.c.wild TXT', answer: ['a.b.c.wild.example.com. 600 IN TXT "any"'] },
    { ask: '*.wild TXT', answer: ['*.wild.example.com. 600 IN TXT "any"'] },
    { ask: 'a.*.wild TXT', status: 'NXDOMAIN', authority: SOA },
    { ask: 'a.wild A', authority: SOA },
    { ask: 'host.wild TXT', authority: SOA },
    { ask: 'below.host.wild TXT', status: 'NXDOMAIN', authority: SOA },
    { ask: 'ent.wild TXT', authority: SOA },
    { ask: 'a.ent.wild TXT', status: 'NXDOMAIN', authority: SOA },
    { ask: 'whatever TXT', answer: ['whatever.example.com. 600 IN TXT "top"'] },
    { ask: 'wild TXT', authority: SOA },
    { ask: 'off TXT', authority: SOA },
    { ask: 'a.off TXT', status: 'NXDOMAIN', authority: SOA },
    {
      ask: 'a.cw A',
      answer: ['a.cw.example.com. 600 IN CNAME host.wild.example.com.', 'host.wild.example.com. 600 IN A 198.51.100.1'],
    },
    {
      ask: 'a.mail MX',
      answer: ['a.mail.example.com. 600 IN MX 10 host.wild.example.com.'],
      additional: ['host.wild.example.com. 600 IN A 198.51.100.1'],
    },
    { ask: 'a.out A', answer: ['a.out.example.com. 45 IN A 203.0.113.9'] },
    { ask: 'a.near A', answer: ['a.near.example.com. 600 IN A 192.0.2.2'], looks: 1 },
  ],
  'delegations (RFC 1034, RFC 9471)': [
    ...['cut A', 'cut NS', 'a.cut A', 'deep.cut TXT', 'deep.cut DS', 'ns.cut A'].map((ask) => ({
      ask,
      flags: 'qr rd',
      authority: CUT,
      additional: [
        'host.wild.example.com. 600 IN A 198.51.100.1',
        'ns.cut.example.com. 600 IN A 198.51.100.53',
        'ns.cut.example.com. 600 IN AAAA 2001:db8:53::1',
        'ns.side.example.com. 600 IN A 198.51.100.54',
      ],
    })),
    { ask: 'cut DS', answer: [`cut.example.com. 600 IN DS 1 13 2 ${'AB'.repeat(32)}`] },
    { ask: 'side DS', authority: SOA },
    { ask: 'child DS', authority: SOA },
    { ask: 'child SOA', answer: ['child.example.com. 300 IN SOA'] },
    { ask: 'x.child A', status: 'NXDOMAIN', authority: ['child.example.com. SOA'] },
    {
      ask: 'to-cut TXT',
      answer: ['to-cut.example.com. 600 IN CNAME deep.cut.example.com.'],
      authority: CUT,
      additional: [
        'host.wild.example.com. 600 IN A 198.51.100.1',
        'ns.cut.example.com. 600 IN A 198.51.100.53',
        'ns.cut.example.com. 600 IN AAAA 2001:db8:53::1',
        'ns.side.example.com. 600 IN A 198.51.100.54',
      ],
    },
  ],
  'CNAMEs from zone to zone (RFC 6604)': [
    {
      ask: 'to-child MX',
      answer: ['to-child.example.com. 600 IN CNAME child.example.com.'],
      authority: ['child.example.com. SOA'],
    },
    {
      ask: 'to-none A',
      status: 'NXDOMAIN',
      answer: ['to-none.example.com. 600 IN CNAME none.child.example.com.'],
      authority: ['child.example.com. SOA'],
    },
    { ask: 'to-child DS', answer: ['to-child.example.com. 600 IN CNAME child.example.com.'], authority: SOA },
  ],
  ALIAS: [
    { ask: 'aim A', answer: ['aim.example.com. 45 IN A 203.0.113.9'], looks: 0 },
    { ask: 'aim AAAA', authority: SOA },
    { ask: 'aim MX', authority: SOA },
    { ask: 'aim CNAME', authority: SOA },
    { ask: 'own A', answer: ['own.example.com. 600 IN A 192.0.2.2'], looks: 1 },
    { ask: 'own AAAA', authority: SOA },
    { ask: 'chain A', answer: ['chain.example.com. 600 IN A 192.0.2.2'], looks: 1 },
    { ask: 'via A', answer: ['via.example.com. 45 IN A 203.0.113.9'] },
    { ask: 'void A', authority: SOA },
    { ask: 'never A', status: 'SERVFAIL', flags: 'qr rd' },
    { ask: 'ring1 A', status: 'SERVFAIL', flags: 'qr rd' },
  ],
  'addresses of what a set names': [
    {
      ask: '_sip._tcp SRV',
      answer: ['_sip._tcp.example.com. 600 IN SRV 1 2 5060 host.wild.example.com.'],
      additional: ['host.wild.example.com. 600 IN A 198.51.100.1'],
    },
    {
      ask: 'svc HTTPS',
      answer: ['svc.example.com. 600 IN HTTPS 1 . alpn=h2'],
      additional: ['svc.example.com. 600 IN A 198.51.100.3'],
    },
  ],
  'ANY (RFC 8482)': [
    { ask: 'svc ANY', answer: ['svc.example.com. 600 IN A 198.51.100.3'] },
    { ask: 'a.wild ANY', answer: ['a.wild.example.com. 600 IN TXT "any"'] },
    { ask: 'a.near ANY', answer: ['a.near.example.com. 600 IN A 192.0.2.2'] },
    { ask: 'ent.wild ANY', authority: SOA },
    {
      ask: 'side ANY',
      flags: 'qr rd',
      authority: ['side.example.com. NS'],
      additional: ['ns.side.example.com. 600 IN A 198.51.100.54'],
    },
  ],
  'the nodes': [
    { ask: '@ A', answer: ['example.com. 300 IN A 192.0.2.2'], looks: 1 },
    { ask: '@ AAAA', answer: ['example.com. 300 IN AAAA 2001:db8::1'], looks: 1 },
    { ask: '@ SOA', answer: ['example.com. 300 IN SOA'], looks: 0 },
    {
      ask: '@ NS',
      answer: [...NS, ...NS],
      looks: 0,
      additional: [
        'berlin.ns.example.com. 300 IN A 192.0.2.2',
        'tokyo.ns.example.com. 300 IN A 192.0.2.1',
        'tokyo.ns.example.com. 300 IN AAAA 2001:db8::1',
      ],
    },
  ],
}

const ownerAndType = (line: string): string => line.replace(/^(\S+) \S+ \S+ (\S+) .*$/, '$1 $2')

for (const [title, rules] of Object.entries(RULES)) {
  t.test(`kdig: ${title}`, async (t) => {
    for (const rule of rules) {
      const [name, type = ''] = rule.ask.split(' ')
      const full = name === '@' ? 'example.com.' : `${name}.example.com.`
      looks = 0
      const got = await askWith('kdig', server.address, '+edns', full, type)
      t.equal(got.status, rule.status ?? 'NOERROR', rule.ask)
      t.equal(got.flags.join(' '), rule.flags ?? 'qr aa rd', `${rule.ask}: flags`)
      const wanted = rule.answer ?? []
      t.equal(got.answer.length, wanted.length, `${rule.ask}: ${got.answer.join(', ')}`)
      t.ok(
        wanted.every((one) => got.answer.some((line) => line.toLowerCase().startsWith(one.toLowerCase()))),
        `${rule.ask}: ${got.answer.join(', ')}`,
      )
      t.strictSame(got.authority.map(ownerAndType), rule.authority ?? [], `${rule.ask}: authority`)
      t.strictSame(got.additional.toSorted(), rule.additional ?? [], `${rule.ask}: additional`)
      if (rule.looks !== undefined) t.equal(looks, rule.looks, `${rule.ask}: looks for the client`)
    }
  })
}

t.test('an answer that depends on the client says for whom it holds (RFC 7871)', async (t) => {
  const scope = async (subnet: string, ...question: string[]) => {
    const { answer, text } = await askWith('kdig', server.address, `+subnet=${subnet}`, ...question)
    return [answer.map((line) => line.split(' ')[4]), /CLIENT-SUBNET: (\S+)/.exec(text)?.[1]]
  }
  t.strictSame(await scope('203.0.113.0/24', 'example.com', 'A'), [['192.0.2.1'], '203.0.113.0/24/20'])
  t.strictSame(await scope('198.51.100.0/24', 'example.com', 'A'), [['192.0.2.2'], '198.51.100.0/24/20'])
  t.strictSame(await scope('203.0.113.0/24', 'chain.example.com', 'A'), [['192.0.2.1'], '203.0.113.0/24/20'])
  t.strictSame(await scope('203.0.113.0/24', 'svc.example.com', 'A'), [['198.51.100.3'], '203.0.113.0/24/0'])
  t.strictSame(await scope('203.0.113.0/24', 'none.wild.example.com', 'A'), [[], '203.0.113.0/24/0'])
})

t.test('a referral whose glue does not fit asks for TCP (RFC 9471)', async (t) => {
  for (const name of ['a.farm.example.com', 'a.ranch.example.com']) {
    const cut = await askWith('kdig', server.address, '+notcp', '+ignore', '+bufsize=1232', name, 'A')
    t.ok(cut.flags.includes('tc') && cut.authority.length === SERVERS, name)
    const whole = await askWith('kdig', server.address, '+tcp', name, 'A')
    t.notOk(whole.flags.includes('tc'))
    t.strictSame([whole.authority.length, whole.additional.length], [SERVERS, SERVERS])
  }
})

t.test('who signs can tell where each set comes from', async (t) => {
  const provenanceOf = (name: string, type: number) => {
    const question = { name: `${name}.example.com`, wireName: new Uint8Array(), type, class: 1 }
    const query = { id: 1, opcode: 0, recursionDesired: false, question, edns: undefined }
    const { answers, authorities, provenance } = answer(query, contextOf({ table }))
    return [...answers, ...authorities].map((set) => {
      const { apex, owner } = provenance.get(set) ?? {}
      return `${set.name} ${set.type}: ${owner} in ${apex}`
    })
  }
  t.strictSame(provenanceOf('a.b.cw', 1), [
    'a.b.cw.example.com 5: *.cw.example.com in example.com',
    'host.wild.example.com 1: host.wild.example.com in example.com',
  ])
  t.strictSame(provenanceOf('to-none', 1), [
    'to-none.example.com 5: to-none.example.com in example.com',
    'child.example.com 6: child.example.com in child.example.com',
  ])
  t.strictSame(provenanceOf('x.side', 1), ['side.example.com 2: side.example.com in example.com'])
  t.strictSame(provenanceOf('q.near', 1), ['q.near.example.com 1: *.near.example.com in example.com'])
})
