import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type Answer, decode, encode } from 'dns-packet'
import t from 'tap'
import type { ParentReport } from '../../../../cli/delegation/index.ts'
import { createHostLookup } from '../../../../cli/node/certificates/look-up-host.ts'
import { systemRuntime } from '../../../../cli/system.ts'
import type { Hostname, MemberKey, NodeName, NodeView } from '../../../../core/index.ts'

type Said = readonly Answer[] | 'NXDOMAIN' | 'SERVFAIL' | 'REFUSED'
const CODES = { NXDOMAIN: 3, SERVFAIL: 2, REFUSED: 5 } as const

/** A resolver on loopback that says of a name and a type what the test has it say; of others that there is nothing. */
class Resolver implements AsyncDisposable {
  readonly asked: string[] = []
  readonly said = new Map<string, Said>()
  readonly #socket = createSocket('udp4')

  static async start(): Promise<Resolver> {
    const made = new Resolver()
    made.#socket.on('message', (bytes, from) => {
      const { id = 0, questions = [] } = decode(bytes)
      const [question] = questions
      if (question === undefined) return
      const key = `${question.name} ${question.type}`
      made.asked.push(key)
      const said = made.said.get(key) ?? []
      const common = { type: 'response' as const, id, questions }
      const answer =
        typeof said === 'string'
          ? encode({ ...common, flags: 0x8180 | CODES[said] })
          : encode({ ...common, flags: 0x8180, answers: [...said] })
      made.#socket.send(answer, from.port, from.address)
    })
    made.#socket.bind(0, '127.0.0.1')
    await once(made.#socket, 'listening')
    return made
  }

  /** What the servers of the zone above say. */
  above: ParentReport = { kind: 'unknown', parent: undefined, reason: 'nobody above answers' }

  get lookUp(): ReturnType<typeof createHostLookup> {
    const resolvers = [{ host: '127.0.0.1', port: this.#socket.address().port }]
    return createHostLookup(resolvers, systemRuntime, async () => this.above)
  }

  set(name: string, type: string, said: Said): void {
    this.said.set(`${name} ${type}`, said)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close()
    await once(this.#socket, 'close')
  }
}

const node = (name: string, ipv4: string | null, ipv6: string | null): NodeView => ({
  key: name.padEnd(52, 'a') as MemberKey,
  name: name as NodeName,
  ipv4,
  ipv6,
  place: null,
  nameserver: true,
  drained: false,
  schema: 5,
  mesh: null,
})
const NODES = [node('fra', '192.0.2.1', '2001:db8::1'), node('nyc', '192.0.2.2', null)]
const HOST = 'www.shop.example' as Hostname

const a = (name: string, ...addresses: string[]): Answer[] =>
  addresses.map((data) => ({ name, type: 'A', ttl: 60, data }))
const aaaa = (name: string, data: string): Answer[] => [{ name, type: 'AAAA', ttl: 60, data }]
const soa = (name: string, mname: string, rname: string): Answer[] => [
  { name, type: 'SOA', ttl: 60, data: { mname, rname, serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 1 } },
]
const caa = (name: string, tag: string, value: string, flags = 0): Answer =>
  ({ name, type: 'CAA', ttl: 60, data: { flags, tag, value } }) as unknown as Answer

type Word = Readonly<Record<string, readonly string[]>>

/** Servers of the zone above that delegate, each with its glue; undefined for one that says nothing. */
const above = (...words: readonly (Word | undefined)[]): ParentReport => ({
  kind: 'asked',
  parent: 'example',
  servers: words.map((word) => ({
    name: 'a.example',
    address: '198.51.100.1',
    fault: word === undefined ? 'no answer' : undefined,
    word: word && {
      nameServers: Object.keys(word).sort(),
      ttl: 3600,
      glue: new Map(Object.entries(word).filter(([, glue]) => glue.length > 0)),
      ds: [],
    },
  })),
})

t.test('a zone that the world asks the nodes for: the zone above says so', async (t) => {
  await using resolver = await Resolver.start()
  const apex = 'shop.example' as Hostname
  const ours = { 'fra.ns.shop.example': ['192.0.2.1', '2001:db8::1'], 'nyc.ns.shop.example': ['192.0.2.2'] }
  resolver.set(apex, 'SOA', soa(apex, 'fra.ns.shop.example', 'admin.shop.example'))
  resolver.set(apex, 'A', a(apex, '192.0.2.1'))
  const where = async (report: ParentReport) => {
    resolver.above = report
    return await resolver.lookUp(apex, NODES)
  }
  t.match(await where(above(ours)), { pointing: 'delegated', caa: 'none' })
  t.match(await where(above(ours, undefined)), { pointing: 'delegated' }, 'one of the servers above is down')
  resolver.set('ns1.brand.example', 'A', a('ns1.brand.example', '192.0.2.2'))
  t.match(await where(above({ 'ns1.brand.example': [] })), { pointing: 'delegated' }, 'a name that leads to a node')

  t.match(
    await where(above({ ...ours, 'ns9.other.example': ['203.0.113.9'] })),
    { pointing: 'ours' },
    'one server of somebody else: an authority may ask that one',
  )
  t.match(
    await where(above(ours, { 'ns9.other.example': ['203.0.113.9'] })),
    { pointing: 'ours' },
    'servers above that do not agree',
  )
  t.match(
    await where(above({ 'fra.ns.shop.example': ['203.0.113.9'] })),
    { pointing: 'ours' },
    'a name of ours whose glue leads elsewhere',
  )
  resolver.set('ns2.brand.example', 'A', 'SERVFAIL')
  t.match(await where(above({ 'ns2.brand.example': [] })), { pointing: 'unknown' }, 'a server that is not found')
  resolver.set(apex, 'A', a(apex, '203.0.113.1'))
  t.match(await where(above({ 'ns1.other.example': ['203.0.113.8'], 'ns2.other.example': ['203.0.113.9'] })), {
    pointing: 'elsewhere',
    found: 'its name servers are ns1.other.example, ns2.other.example',
  })
})

t.test('that our own servers say so proves nothing', async (t) => {
  await using resolver = await Resolver.start()
  const apex = 'shop.example' as Hostname
  resolver.set(apex, 'SOA', soa(apex, 'fra.ns.shop.example', 'admin.shop.example'))
  resolver.set(apex, 'A', a(apex, '192.0.2.1'))
  t.match(await resolver.lookUp(apex, NODES), { pointing: 'unknown', found: 'nobody above answers' })
  resolver.above = above({})
  t.match(await resolver.lookUp(apex, NODES), { pointing: 'ours' }, 'the zone above delegates to nobody')
  resolver.set(apex, 'SOA', soa(apex, 'ns1.other.example', 'admin.other.example'))
  resolver.above = { kind: 'unknown', parent: undefined, reason: 'nobody above answers' }
  t.match(await resolver.lookUp(apex, NODES), { pointing: 'ours' }, 'a zone of somebody else with our addresses')
  resolver.set(apex, 'SOA', 'SERVFAIL')
  resolver.above = above({ 'fra.ns.shop.example': ['192.0.2.1'] })
  t.match(await resolver.lookUp(apex, NODES), { pointing: 'delegated' }, 'nodes that do not answer yet')
})

t.test('where a host leads that lies in the zone of somebody else', async (t) => {
  await using resolver = await Resolver.start()
  const where = async () => (await resolver.lookUp(HOST, NODES)).pointing
  resolver.set(HOST, 'A', a(HOST, '192.0.2.2', '192.0.2.1'))
  t.equal(await where(), 'ours')
  resolver.set(HOST, 'AAAA', aaaa(HOST, '2001:DB8:0:0::1'))
  t.equal(await where(), 'ours', 'another spelling of the same address')
  resolver.set(HOST, 'AAAA', aaaa(HOST, '2001:db8::99'))
  const found = await resolver.lookUp(HOST, NODES)
  const some = { pointing: 'unknown', found: 'some of its addresses are not those of nodes (2001:db8::99)' }
  t.match(found, some, 'nothing is begun, and nothing is taken away, while some lead elsewhere')
  resolver.set(HOST, 'A', a(HOST, '203.0.113.1', '203.0.113.2', '203.0.113.3', '203.0.113.4'))
  const many = await resolver.lookUp(HOST, NODES)
  t.equal(many.found, 'its addresses are 203.0.113.1, 203.0.113.2, 203.0.113.3, …', 'a sentence has an end')
})

t.test('who does not answer proves nothing', async (t) => {
  await using resolver = await Resolver.start()
  resolver.set(HOST, 'A', a(HOST, '192.0.2.1'))
  for (const code of ['SERVFAIL', 'REFUSED'] as const) {
    resolver.set(HOST, 'AAAA', code)
    const found = await resolver.lookUp(HOST, NODES)
    t.match(found, { pointing: 'unknown', found: new RegExp(code) }, `${code} for one of two families`)
  }
  resolver.set(HOST, 'AAAA', 'NXDOMAIN')
  t.match(await resolver.lookUp(HOST, NODES), { pointing: 'ours' }, 'that there is nothing is an answer')
})

t.test('CAA records: the closest name that has some, RFC 8659 section 3', async (t) => {
  await using resolver = await Resolver.start()
  const find = async () => (await resolver.lookUp(HOST, NODES)).caa
  t.equal(await find(), 'none')
  t.ok(resolver.asked.includes('example CAA'), 'the climb goes up to the last label')
  resolver.set('example', 'CAA', [caa('example', 'issue', 'top.example')])
  t.match(await find(), { at: 'example', issue: ['top.example'] })
  resolver.set('shop.example', 'CAA', [
    caa('shop.example', 'issue', 'letsencrypt.org; validationmethods=dns-01'),
    caa('shop.example', 'issuewild', ';'),
    caa('shop.example', 'iodef', 'mailto:x@shop.example'),
  ])
  t.strictSame(await find(), { at: 'shop.example', issue: ['letsencrypt.org'], issueWild: [''], critical: false })
  resolver.set('shop.example', 'CAA', 'SERVFAIL')
  t.equal(await find(), undefined, 'SERVFAIL on the way is not the absence of records')
  resolver.set(HOST, 'CAA', [caa(HOST, 'issue', 'near.example')])
  t.match(await find(), { at: HOST, issue: ['near.example'] }, 'nothing above the closest counts')
})

t.test('no resolver at all', async (t) => {
  const lookUp = await (async () => {
    await using gone = await Resolver.start()
    return gone.lookUp
  })()
  t.match(await lookUp(HOST, NODES), { pointing: 'unknown', caa: undefined })
})
