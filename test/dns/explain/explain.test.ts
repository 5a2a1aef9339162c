import t, { type Test } from 'tap'
import { type Change, listNodes, type NodeStanding, type Place } from '../../../core/index.ts'
import {
  type AliasAddresses,
  type AnswerContext,
  buildZone,
  decodeRdata,
  type ExplainedRecord,
  type ExplainedStep,
  type ExplainQuestion,
  explain,
  formatRdata,
  formatType,
  type Located,
  parseExplainQuestion,
  respond,
  Steering,
  ZoneTable,
} from '../../../dns/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { aliasSet, ClusterState, domainSet, host, nodeJoin, nodeKey, owner, recordSet } from '../cluster-state.ts'
import { type ReadRecord, rawQuery, readMessage } from '../wire-message.ts'

const PLACES: Place[] = [
  { latitude: 35.7, longitude: 139.7 },
  { latitude: 52.5, longitude: 13.4 },
  { latitude: -33.9, longitude: 151.2 },
]
const NODES = ['tokyo', 'berlin', 'sydney']

const geo = (domain: string, name: string): Change => ({
  kind: 'record.set',
  domain: host(domain),
  name: owner(name),
  type: 'A',
  ttl: 60,
  values: [],
  geo: true,
})

/** Two zones with one of everything, four nodes, ALIAS targets that resolved and one that did not. */
function buildContext(random: Random): Omit<AnswerContext, 'asker'> {
  const cluster = new ClusterState()
  const record = (name: string, type: string, ...values: string[]) => recordSet('example.com', name, type, values)
  cluster.commit(domainSet('example.com'), domainSet('example.org'), aliasSet('example.com', 'www.example.com'))
  cluster.commit(...NODES.map((name, i) => ({ ...nodeJoin(i + 1, name), place: PLACES[i] ?? null }) as Change), {
    ...nodeJoin(4, 'nowhere', { ipv6: null, nameserver: false }),
    drained: random.chance(0.5),
  } as Change)
  cluster.commit(
    record('@', 'MX', '10 mail.example.com.', '20 mail.example.net.'),
    record('mail', 'A', '198.51.100.25'),
    record('a.b.deep', 'TXT', '"deep"'),
    record('chain', 'CNAME', 'chain2.example.com.'),
    record('chain2', 'CNAME', 'www.example.com.'),
    record('out', 'CNAME', 'cdn.example.net.'),
    record('loop', 'CNAME', 'loop.example.com.'),
    record('*.wild', 'A', '198.51.100.7', '198.51.100.8'),
    record('*.wildc', 'CNAME', 'mail.example.com.'),
    record('sub', 'NS', 'ns.sub.example.com.', 'ns.example.net.'),
    record('ns.sub', 'A', '198.51.100.53'),
    record('alias', 'ALIAS', 'apps.example.net.'),
    record('alias-none', 'ALIAS', 'never.example.net.'),
    record('alias-own', 'ALIAS', 'www.example.com.'),
    recordSet('example.org', '@', 'ALIAS', ['apps.example.net.']),
    geo('example.com', 'near'),
  )
  const zones = ['example.com', 'example.org'].flatMap((apex) => buildZone(cluster.state, host(apex))?.zone ?? [])
  const standing = (): NodeStanding => ({
    ipv4: random.pick(['up', 'up', 'held', 'down']),
    ipv6: random.pick(['up', 'down']),
    behind: random.chance(0.2),
  })
  const standings = new Map([1, 2, 3].map((number) => [nodeKey(number), standing()] as const))
  const resolved: AliasAddresses = { target: 'apps.example.net', ipv4: ['1.1.1.1', '1.0.0.1'], ipv6: [], ttl: 40 }
  return {
    table: ZoneTable.of(zones),
    steering: new Steering(listNodes(cluster.state), standings, 1 + random.integer(3)),
    aliases: new Map([[resolved.target, resolved]]),
    locator: {
      locate: (asker, subnet): Located => {
        const octet = subnet?.address[0] ?? Number(asker.address.split('.')[0])
        const place = PLACES[octet % 4]
        const source = place === undefined ? 'unknown' : 'database'
        return { place, spread: octet / 256, scopePrefix: octet % 25, by: subnet ? 'subnet' : 'resolver', source }
      },
    },
  }
}

const OWNERS = [
  ...['@', 'www', 'mail', 'deep', 'b.deep', 'a.b.deep', 'chain', 'out', 'loop', 'x.wild', 'wild', 'x.wildc', 'sub'],
  ...['x.sub', 'ns.sub', 'alias', 'alias-none', 'alias-own', 'near', 'missing', 'tokyo.ns', '*.wild'],
]
const TYPES = 'A AAAA MX NS TXT SOA CAA CNAME DS ANY AXFR HTTPS TYPE65280 OPT MAILB'.split(' ')

function randomQuestion(random: Random): ExplainQuestion {
  const apex = random.pick(['example.com', 'example.com', 'example.com', 'example.org', 'other.net', 'com'])
  const name = random.pick(OWNERS)
  const client = random.pick([
    undefined,
    `${random.integer(256)}.1.2.3`,
    `${random.integer(256)}.1.0.0/16`,
    '2001:db8::/48',
  ])
  return parseExplainQuestion({
    name: name === '@' ? apex : `${name}.${apex}`,
    type: random.pick(TYPES),
    client,
    resolver: random.chance(0.5) ? `${random.integer(256)}.9.9.9` : undefined,
  })
}

/** As kdig sends it, made without the code that is tested. */
function sendQuery({ name, type, subnet }: ExplainQuestion): Uint8Array {
  const data =
    subnet &&
    Buffer.concat([
      Buffer.from([0, subnet.family === 'ipv4' ? 1 : 2, subnet.sourcePrefix, 0]),
      subnet.address.subarray(0, Math.ceil(subnet.sourcePrefix / 8)),
    ])
  return rawQuery({ name, type, edns: { size: 1232, options: data === undefined ? [] : [[8, data]] } })
}

for (const seed of seeds(25)) {
  t.test(`what is explained is what is answered (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const context = buildContext(random)
    for (let i = 0; i < 40; i++) {
      const question = randomQuestion(random)
      const explanation = explain(question, context)
      const asker = { address: question.asker, transport: 'tcp' } as const
      const reply = respond(sendQuery(question), { ...context, asker })
      if (reply.kind !== 'send') throw new Error('no reply')
      const message = readMessage(Buffer.from(reply.bytes))
      const what = `${question.name} ${question.type}`
      t.equal(explanation.rcode, reply.rcode, what)
      t.equal(explanation.authoritative, (message.flags & 0x0400) !== 0, `authority for ${what}`)
      t.strictSame(explanation.answers, message.answers.map(showRecord), `answers to ${what}`)
      t.strictSame(explanation.authorities, message.authorities.map(showRecord), `authorities to ${what}`)
      t.strictSame(explanation.additionals, message.additionals.map(showRecord), `additionals to ${what}`)
      const scope = message.opt?.options.find(([code]) => code === 8)?.[1][3]
      t.equal(explanation.scopePrefix, scope ?? null, `scope for ${what}`)
      t.ok(explanation.steps.length > 0, `a step to ${what}`)
      checkChoices(
        t,
        explanation.steps,
        explanation.answers.map(({ value }) => value),
      )
    }
  })
}

function showRecord({ name, type, ttl, data }: ReadRecord): ExplainedRecord {
  return { name, type: formatType(type), ttl, value: formatRdata(decodeRdata(formatType(type), data)) }
}

/** Chosen is what is answered, and nobody is forgotten or listed twice. */
function checkChoices(t: Test, steps: readonly ExplainedStep[], values: readonly string[]): void {
  for (const step of steps) {
    if (step.step !== 'choice') continue
    const chosen = step.candidates.filter(({ why }) => why === 'chosen').map(({ address }) => address)
    if (values.length > 0) for (const address of chosen) t.ok(values.includes(address), `${address} is answered`)
    const names = step.candidates.map(({ node }) => node)
    t.equal(new Set(names).size, names.length)
    t.equal(names.length, step.type === 'A' ? 4 : 3)
  }
}

const words = (question: Parameters<typeof parseExplainQuestion>[0]) => {
  const { steps } = explain(parseExplainQuestion(question), buildContext(createRandom(1)))
  return steps.map((step) => (step.step === 'look-up' ? `${step.found} ${step.name} in ${step.zone}` : step.step))
}

t.test('the way is told step by step', async (t) => {
  const way = (name: string, type = 'A') => words({ name, type }).join('; ')
  t.equal(
    way('chain.example.com'),
    'cname chain.example.com in example.com; cname chain2.example.com in example.com; set www.example.com in example.com; choice',
  )
  t.equal(way('Alias.Example.COM.'), 'set alias.example.com in example.com; resolved')
  t.equal(
    way('alias-own.example.com'),
    'set alias-own.example.com in example.com; set www.example.com in example.com; choice',
  )
  t.equal(way('x.wild.example.com'), 'set x.wild.example.com in example.com')
  t.equal(way('b.deep.example.com'), 'nodata b.deep.example.com in example.com')
  t.equal(way('x.sub.example.com'), 'delegation x.sub.example.com in example.com')
  t.equal(way('none.example.com'), 'nxdomain none.example.com in example.com')
  t.equal(way('other.net'), 'no-zone')
  t.equal(way('example.com', 'AXFR'), 'refused')
  t.equal(way('other.net', 'OPT'), 'refused')
})

t.test('who wrote it is told, and that nobody did', async (t) => {
  const context = buildContext(createRandom(1))
  const written = (name: string, type = 'A') => {
    const [step] = explain(parseExplainQuestion({ name, type }), context).steps
    return step !== undefined && 'written' in step ? step.written : undefined
  }
  t.match(written('mail.example.com'), { operation: /^[a-z2-7]{52}$/, author: /./, at: /^20/, via: null })
  t.match(written('x.wild.example.com'), { operation: /./ })
  t.match(written('near.example.com'), { operation: /./ })
  t.match(written('alias.example.com', 'AAAA'), { operation: /./ })
  t.match(written('sub.example.com'), { operation: /./ })
  t.equal(written('www.example.com'), null)
  t.equal(written('example.com', 'CAA'), null)
  t.equal(written('example.com', 'SOA'), null)
})

t.test('outside our zones the nearest is named', async (t) => {
  const context = buildContext(createRandom(1))
  const nearest = (name: string) => {
    const [step] = explain(parseExplainQuestion({ name, type: 'A' }), context).steps
    return step?.step === 'no-zone' ? step.nearest : undefined
  }
  t.equal(nearest('www.exmaple.com'), null, 'com alone is nothing in common')
  t.equal(nearest('example.net'), null)
  t.equal(nearest('.'), null)
})

t.test('what is no question is refused, and why is said', async (t) => {
  const ask = (parts: object) => () => parseExplainQuestion({ name: 'example.com', type: 'A', ...parts })
  for (const name of [
    '',
    '..',
    'a..b',
    '.a',
    'a b',
    'bücher.example',
    `${'a'.repeat(64)}.com`,
    'abc.'.repeat(70),
    'a\\.b',
  ])
    t.throws(ask({ name }), { code: 'MAKI_INVALID', hint: /./ }, JSON.stringify(name))
  for (const type of ['', 'AA', 'TYPE', 'TYPE70000', 'TYPE-1', 'ALIAS', 'constructor', '1'])
    t.throws(ask({ type }), { code: 'MAKI_INVALID', hint: /./ }, type)
  for (const client of [
    '',
    'x',
    '1.2.3',
    '1.2.3.4/33',
    '1.2.3.4/',
    '1.2.3.4/-1',
    '::1/129',
    '1.2.3.4/8/8',
    'fe80::1%eth0',
  ])
    t.throws(ask({ client }), { code: 'MAKI_INVALID', hint: /./ }, client)
  for (const resolver of ['', 'dns.google', '9.9.9.9:53', '9.9.9.0/24'])
    t.throws(ask({ resolver }), { code: 'MAKI_INVALID', hint: /./ }, resolver)
})

t.test('questions as people type them', async (t) => {
  const subnetOf = (client: string) => {
    const { subnet } = parseExplainQuestion({ name: 'example.com', type: 'A', client })
    return subnet && `${Buffer.from(subnet.address).toString('hex')}/${subnet.sourcePrefix}`
  }
  t.equal(subnetOf('203.0.113.9'), 'cb007100/24', 'as much as resolvers tell')
  t.equal(subnetOf('203.0.113.9/30'), 'cb007108/30')
  t.equal(subnetOf('0.0.0.0/0'), '00000000/0')
  t.equal(subnetOf('2001:db8:1:2ff:3::1'), '20010db8000102000000000000000000/56')
  const read = (name: string, type: string) => parseExplainQuestion({ name, type })
  t.match(read('Example.COM.', 'mx'), { name: 'example.com', type: 15, asker: '127.0.0.1' })
  t.match(read('.', 'type65280'), { name: '', type: 65280 })
  t.match(read('_dmarc.a@b.com', 'DNSKEY'), { name: '_dmarc.a\\064b.com', type: 48 })
  t.equal(parseExplainQuestion({ name: 'a.com', type: 'A', client: '192.0.2.7' }).asker, '192.0.2.7')
})
