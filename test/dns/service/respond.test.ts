import t from 'tap'
import { ServerCookies } from '../../../dns/message/index.ts'
import { type Identity, type Reply, respond } from '../../../dns/service/index.ts'
import { buildZone } from '../../../dns/zone/index.ts'
import { ZoneTable } from '../../../dns/zone/zone-table.ts'
import { contextOf } from '../answering.ts'
import { ClusterState, domainSet, host, nodeJoin, recordSet } from '../cluster-state.ts'
import {
  type RawOption,
  type RawQuery,
  type ReadMessage,
  rawHeader,
  rawOpt,
  rawQuery,
  readMessage,
} from '../wire-message.ts'

const NSID = 3
const SUBNET = 8
const COOKIE = 10
const TXT = 16
const CH = 3
const ANY = 255

const cluster = new ClusterState()
cluster.commit(domainSet('example.com'), nodeJoin(1, 'tokyo'))
cluster.commit(
  recordSet('example.com', 'www', 'A', ['192.0.2.80']),
  recordSet('example.com', '*.wild', 'A', ['192.0.2.81']),
  recordSet('example.com', 'large', 'TXT', [`"${'x'.repeat(250)}" "${'y'.repeat(250)}"`]),
)
const zone = buildZone(cluster.state, host('example.com'))?.zone
const table = ZoneTable.of(zone === undefined ? [] : [zone])

const known: Identity = {
  cookies: new ServerCookies('e5e973e5a6b2a43f48e7dc849e37bfcf'),
  nsid: 'tokyo-1',
  version: 'Makiatto 1',
  nowSeconds: () => 1559731985,
}
const silent: Identity = { ...known, nsid: undefined, version: undefined }

interface Asked {
  readonly reply: Reply & { kind: 'send' }
  readonly got: ReadMessage
}

function ask(
  query: RawQuery | Buffer,
  identity = known,
  transport: 'udp' | 'tcp' = 'udp',
  address = '198.51.100.100',
): Asked {
  const context = contextOf({ table, asker: { address, transport } })
  const reply = respond(query instanceof Uint8Array ? query : rawQuery(query), context, identity)
  if (reply.kind === 'drop') throw new Error('there is no reply')
  return { reply, got: readMessage(Buffer.from(reply.bytes)) }
}

const optionOf = ({ opt }: ReadMessage, code: number): string | undefined => {
  const found = opt?.options.find(([one]) => one === code)
  return found && Buffer.from(found[1]).toString('hex')
}
const withOptions = (...options: [code: number, hex: string][]): RawQuery => ({
  edns: { options: options.map(([code, hex]): RawOption => [code, Buffer.from(hex, 'hex')]) },
})
const CLIENT = '2464c4abcf10c957'
const GIVEN = `${CLIENT}010000005cf79f111f8130c3eee29480`

t.test('who sends a cookie gets one that proves its address', async (t) => {
  t.equal(optionOf(ask(withOptions([COOKIE, CLIENT])).got, COOKIE), GIVEN)
  t.ok(ask(withOptions([COOKIE, CLIENT])).reply.unproven, 'its own half proves nothing')
  t.notOk(ask(withOptions([COOKIE, GIVEN])).reply.unproven, 'the whole of it does')
  t.ok(ask(withOptions([COOKIE, GIVEN]), known, 'udp', '198.51.100.101').reply.unproven, 'but from nowhere else')
  t.notOk(ask({}, known, 'tcp').reply.unproven, 'nor need those who came over TCP prove anything')
  const bad = ask(withOptions([COOKIE, `${CLIENT}${'00'.repeat(16)}`]))
  t.match(bad.got, { rcode: 0, answers: { length: 1 } }, 'a bad one is answered')
  t.equal(optionOf(bad.got, COOKIE), GIVEN, 'with a good one')
  const nothing = Buffer.concat([
    rawHeader(1, 0, [0, 0, 0, 1]),
    rawOpt({ options: [[COOKIE, Buffer.from(CLIENT, 'hex')]] }),
  ])
  t.match(ask(nothing).got, { rcode: 0, question: undefined, answers: { length: 0 } }, 'who asks for nothing else')
  t.equal(optionOf(ask(nothing).got, COOKIE), GIVEN)
  t.equal(optionOf(ask({ edns: {} }).got, COOKIE), undefined, 'who sends none gets none')
  t.equal(ask({}).got.opt, undefined)
})

t.test('what is over the limit is cut to what helps the honest alone', async (t) => {
  const cut = (query: RawQuery) => {
    const bytes = ask(query).reply.unproven?.cut().bytes
    return readMessage(Buffer.from(bytes ?? []))
  }
  t.match(cut({}), { rcode: 0, truncated: true, answers: { length: 0 }, opt: undefined })
  t.match(cut({ edns: {} }), { rcode: 0, truncated: true, opt: { options: { length: 0 } } })
  const refused = cut(withOptions([COOKIE, CLIENT], [NSID, '']))
  t.match(refused, { rcode: 23, truncated: false, answers: { length: 0 }, flags: 0x8000 | 7 })
  t.strictSame([optionOf(refused, COOKIE), optionOf(refused, NSID)], [GIVEN, undefined])
  t.match(cut({ ...withOptions([COOKIE, '00']) }), { rcode: 1, truncated: true })
})

t.test('what an answer counts as does not depend on what anybody can make up', async (t) => {
  const account = (query: RawQuery) => ask(query).reply.unproven?.account
  const same = (what: string, ...queries: RawQuery[]) => t.equal(new Set(queries.map(account)).size, 1, what)
  const [www, other] = [{ name: 'www.example.com' }, { name: 'tokyo.ns.example.com' }]
  t.not(account(www), account(other), 'names that exist are apart')
  t.not(account(www), account({ name: 'nothing.example.com' }))
  same('spelling', www, { name: 'WWW.Example.COM' })
  same('subnets', www, withOptions([SUBNET, '00011800c00002']), withOptions([SUBNET, '00011800c00003']))
  same('names that do not exist', ...[1, 2, 3].map((i) => ({ name: `no${i}.example.com` })))
  same('names that a wildcard answers', ...[1, 2, 3].map((i) => ({ name: `a${i}.wild.example.com` })))
  same('types that do not exist', ...[15, 99, 1000].map((type) => ({ ...www, type })))
  same('foreign names', ...[1, 2].map((i) => ({ name: `www.example${i}.net` })))
  same(
    'questions about the server',
    { name: 'version.bind', type: TXT, class: CH },
    { name: 'id.server', type: TXT, class: CH },
  )
})

t.test('who and what the server is, is told to who asks, where it is configured', async (t) => {
  t.equal(optionOf(ask(withOptions([NSID, ''])).got, NSID), Buffer.from('tokyo-1').toString('hex'))
  t.equal(optionOf(ask({ edns: {} }).got, NSID), undefined)
  t.equal(optionOf(ask(withOptions([NSID, '']), silent).got, NSID), undefined)
  for (const [name, text] of [
    ['version.bind', 'Makiatto 1'],
    ['Version.Server', 'Makiatto 1'],
    ['id.server', 'tokyo-1'],
    ['hostname.bind', 'tokyo-1'],
  ] as const) {
    const query = { name, type: TXT, class: CH }
    t.match(ask(query).got, {
      rcode: 0,
      answers: [{ class: CH, type: TXT, data: Buffer.from(`${String.fromCharCode(text.length)}${text}`) }],
    })
    t.match(ask(query, silent).got, { rcode: 5, answers: { length: 0 } })
    t.match(ask({ ...query, type: 1 }).got, { rcode: 5 })
    t.match(ask({ ...query, class: 1 }).got, { rcode: 5 })
  }
  t.match(ask({ name: 'authors.bind', type: TXT, class: CH }).got, { rcode: 5 })
})

t.test('ANY is short over UDP, unless the asker is known', async (t) => {
  const name = 'large.example.com'
  t.match(ask({ name, type: ANY, edns: {} }).got, { truncated: true, answers: { length: 0 } })
  t.match(ask({ name, type: ANY, ...withOptions([COOKIE, GIVEN]) }).got, { truncated: false, answers: { length: 1 } })
  t.match(ask({ name, type: ANY }, known, 'tcp').got, { truncated: false, answers: { length: 1 } })
  t.match(ask({ name, type: TXT, edns: {} }).got, { truncated: false, answers: { length: 1 } })
})

t.test('options never push an answer over its limit', async (t) => {
  const long: Identity = { ...known, nsid: 'n'.repeat(200) }
  let cut = 0
  for (let octets = 100; octets < 250; octets += 1) {
    cluster.commit(recordSet('example.com', 'edge', 'TXT', [`"${'z'.repeat(octets)}" "${'z'.repeat(100)}"`]))
    const built = buildZone(cluster.state, host('example.com'))?.zone
    const options = withOptions([COOKIE, GIVEN], [NSID, ''], [SUBNET, `00028000${'11'.repeat(16)}`])
    const query = rawQuery({ name: 'edge.example.com', type: TXT, edns: { ...options.edns, size: 512 } })
    const context = contextOf({
      table: ZoneTable.of(built === undefined ? [] : [built]),
      asker: { address: '198.51.100.100', transport: 'udp' },
    })
    const reply = respond(query, context, long)
    if (reply.kind === 'drop') throw new Error('there is no reply')
    const got = readMessage(Buffer.from(reply.bytes))
    if (reply.bytes.length > 512) t.fail(`${reply.bytes.length} octets`)
    if (got.opt?.options.length !== 3) t.fail(`${got.opt?.options.length} options`)
    const fits = reply.bytes.length + (got.truncated ? 12 + 1 + octets + 101 : 0) <= 512
    cut += got.truncated ? 1 : 0
    if (got.truncated === fits) t.fail(`${octets} octets of text: ${got.truncated ? 'cut for nothing' : 'too long'}`)
  }
  t.ok(cut > 0 && cut < 150, `${cut} of 150 did not fit`)
})
