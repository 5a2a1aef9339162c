import { type Answer, type DecodedPacket, decode, encode, type Packet, type RecordType } from 'dns-packet'
import t from 'tap'
import { respond } from '../../../dns/service/respond.ts'
import { buildZone } from '../../../dns/zone/build-zone.ts'
import { ZoneTable } from '../../../dns/zone/zone-table.ts'
import { contextOf } from '../answering.ts'
import { aliasSet, ClusterState, domainSet, host, nodeJoin, recordSet } from '../cluster-state.ts'

const cluster = new ClusterState()
const apexes = ['example.com', 'sub.deep.example.com', 'example.org']
cluster.commit(...apexes.map((apex) => domainSet(apex)), aliasSet('example.com', 'www.example.com'))
cluster.commit(nodeJoin(1, 'tokyo'), nodeJoin(2, 'berlin', { ipv6: null }))
const record = (name: string, type: string, ...values: string[]) => recordSet('example.com', name, type, values)
const longText = (count: number, mark: string) => Array.from({ length: count }, (_, i) => `"${mark.repeat(200)}${i}"`)
cluster.commit(
  record('@', 'MX', '10 mail.example.com.', '20 mail.example.net.'),
  record('mail', 'A', '198.51.100.25'),
  record('alias', 'CNAME', 'www.example.com.'),
  record('out', 'CNAME', 'www.example.net.'),
  record('over', 'CNAME', 'nowhere.example.org.'),
  record('dangling', 'CNAME', 'missing.example.com.'),
  record('nodata', 'CNAME', 'mail.example.com.'),
  record('loop1', 'CNAME', 'loop2.example.com.'),
  record('loop2', 'CNAME', 'loop1.example.com.'),
  record('big', 'TXT', ...longText(5, 'x')),
  record('huge', 'TXT', ...longText(250, 'x')),
  record('x.y.z', 'A', '198.51.100.1'),
)
const chain = Array.from({ length: 12 }, (_, i) =>
  record(`c${i}`, 'CNAME', i === 11 ? 'huge.example.com.' : `c${i + 1}.example.com.`),
)
cluster.commit(...chain)
const table = ZoneTable.of(apexes.flatMap((apex) => buildZone(cluster.state, host(apex))?.zone ?? []))

interface Ask {
  readonly flags?: number
  readonly class?: 'CH' | 'ANY'
  readonly edns?: { readonly size?: number; readonly version?: number; readonly dnssecOk?: boolean }
  readonly transport?: 'udp' | 'tcp'
}

interface Got extends DecodedPacket {
  readonly rcode: string
  readonly bytes: Buffer
}

function ask(name: string, type: RecordType | `UNKNOWN_${number}` | 'ANY', options: Ask = {}): Got {
  const { edns } = options
  const packet: Packet = {
    type: 'query',
    id: 4711,
    flags: options.flags ?? 0,
    questions: [{ name, type: type as RecordType, ...(options.class === undefined ? {} : { class: options.class }) }],
    ...(edns === undefined
      ? {}
      : {
          additionals: [
            {
              type: 'OPT',
              name: '.',
              udpPayloadSize: edns.size ?? 1232,
              extendedRcode: 0,
              ednsVersion: edns.version ?? 0,
              flags: edns.dnssecOk === true ? 0x8000 : 0,
              flag_do: false,
              options: [],
            },
          ],
        }),
  }
  return send(encode(packet), options.transport)
}

function send(message: Uint8Array, transport: 'udp' | 'tcp' = 'udp'): Got {
  const reply = respond(message, contextOf({ table, transport }))
  if (reply.kind === 'drop') throw new Error('the message was dropped')
  const bytes = Buffer.from(reply.bytes)
  return { ...(decode(bytes) as Got), bytes }
}

const show = (records: readonly Answer[] | undefined) =>
  (records ?? []).map((one) =>
    `${one.name} ${one.type} ${'data' in one && typeof one.data === 'string' ? one.data : ''}`.trim(),
  )
const soaOf = (got: Got) => show(got.authorities)

t.test('a positive answer: AA, RD copied, RA clear, question and spelling as asked', async (t) => {
  for (const flags of [0, 0x100]) {
    const got = ask('wWw.ExAmPlE.com', 'A', { flags })
    t.match(got, { id: 4711, type: 'response', rcode: 'NOERROR', flag_aa: true, flag_ra: false, flag_ad: false })
    t.equal(got.flag_rd, flags !== 0)
    t.strictSame(got.questions, [{ name: 'wWw.ExAmPlE.com', type: 'A', class: 'IN' }])
    t.strictSame(show(got.answers), ['wWw.ExAmPlE.com A 192.0.2.2', 'wWw.ExAmPlE.com A 192.0.2.1'])
    t.strictSame([got.authorities, got.additionals], [[], []])
  }
})

t.test('negative answers carry the SOA with the negative TTL (RFC 2308)', async (t) => {
  const cases: [name: string, type: RecordType, rcode: string, zone: string][] = [
    ['missing.example.com', 'A', 'NXDOMAIN', 'example.com'],
    ['below.www.example.com', 'A', 'NXDOMAIN', 'example.com'],
    ['www.example.com', 'MX', 'NOERROR', 'example.com'],
    ['y.z.example.com', 'A', 'NOERROR', 'example.com'],
    ['z.example.com', 'A', 'NOERROR', 'example.com'],
    ['ns.example.com', 'A', 'NOERROR', 'example.com'],
    ['deep.example.com', 'A', 'NOERROR', 'example.com'],
    ['sub.deep.example.com', 'DS', 'NOERROR', 'example.com'],
    ['example.com', 'DS', 'NOERROR', 'example.com'],
    ['other.deep.example.com', 'A', 'NXDOMAIN', 'example.com'],
    ['x.sub.deep.example.com', 'A', 'NXDOMAIN', 'sub.deep.example.com'],
    ['nodata.example.com', 'MX', 'NOERROR', 'example.com'],
  ]
  for (const [name, type, rcode, zone] of cases) {
    const got = ask(name, type)
    t.match(got, { rcode, flag_aa: true }, `${name} ${type}`)
    t.strictSame(soaOf(got), [`${zone} SOA`])
    t.equal(got.authorities?.[0] !== undefined && 'ttl' in got.authorities[0] ? got.authorities[0].ttl : 0, 300)
  }
})

t.test('what is not ours is REFUSED, without AA', async (t) => {
  for (const name of ['example.net', 'com', '.', 'notexample.com', 'xexample.com']) {
    const got = ask(name, 'A')
    t.match(got, { rcode: 'REFUSED', flag_aa: false, answers: [], authorities: [] }, name)
  }
  t.match(ask('example.com', 'A', { class: 'CH' }), { rcode: 'REFUSED' })
  t.match(ask('example.com', 'A', { class: 'ANY' }), { rcode: 'REFUSED' })
  t.match(ask('example.com', 'AXFR', { transport: 'tcp' }), { rcode: 'REFUSED' })
  t.match(ask('example.com', 'IXFR'), { rcode: 'REFUSED' })
})

t.test('a label with a dot in it is not two labels', async (t) => {
  const query = encode({ id: 1, questions: [{ name: 'wwwxexample.com', type: 'A' }] })
  query[12 + 1 + 3] = 0x2e
  t.match(send(query), { rcode: 'REFUSED' })
})

t.test('octets beyond ASCII come back as they came', async (t) => {
  const query = encode({ id: 1, questions: [{ name: 'xxx.example.com', type: 'A' }] })
  query.set([0xff, 0x00, 0xc3], 13)
  const got = send(query)
  t.equal(got.rcode, 'NXDOMAIN')
  t.same(got.bytes.subarray(12, query.length), query.subarray(12))
})

t.test('CNAMEs are followed inside our zones', async (t) => {
  t.strictSame(show(ask('alias.example.com', 'A').answers), [
    'alias.example.com CNAME www.example.com',
    'www.example.com A 192.0.2.2',
    'www.example.com A 192.0.2.1',
  ])
  t.strictSame(show(ask('alias.example.com', 'CNAME').answers), ['alias.example.com CNAME www.example.com'])
  const out = ask('out.example.com', 'A')
  t.match(out, { rcode: 'NOERROR', flag_aa: true, authorities: [] })
  t.strictSame(show(out.answers), ['out.example.com CNAME www.example.net'])
  const dangling = ask('dangling.example.com', 'A')
  t.equal(dangling.rcode, 'NXDOMAIN', 'the code is the last name’s (RFC 6604)')
  t.strictSame([show(dangling.answers).length, soaOf(dangling)], [1, ['example.com SOA']])
  const over = ask('over.example.com', 'A')
  t.strictSame([over.rcode, soaOf(over)], ['NXDOMAIN', ['example.org SOA']])
  const loop = ask('loop1.example.com', 'A')
  t.match(loop, { rcode: 'NOERROR', authorities: [] })
  t.equal(loop.answers?.length, 2)
  t.equal(ask('c0.example.com', 'TXT').answers?.length, 8, 'and not for ever')
})

t.test('name servers and mail servers come with their addresses', async (t) => {
  const ns = ask('example.com', 'NS')
  t.strictSame(show(ns.answers), ['example.com NS berlin.ns.example.com', 'example.com NS tokyo.ns.example.com'])
  t.strictSame(show(ns.additionals), [
    'berlin.ns.example.com A 192.0.2.2',
    'tokyo.ns.example.com A 192.0.2.1',
    'tokyo.ns.example.com AAAA 2001:db8::1',
  ])
  t.strictSame(show(ask('example.com', 'MX').additionals), ['mail.example.com A 198.51.100.25'])
})

t.test('meta types and unknown types', async (t) => {
  const any = ask('example.com', 'ANY')
  t.equal(any.rcode, 'NOERROR')
  t.equal(new Set(any.answers?.map((one) => one.type)).size, 1, 'one RRset (RFC 8482)')
  t.match(ask('missing.example.com', 'ANY'), { rcode: 'NXDOMAIN' })
  t.match(ask('y.z.example.com', 'ANY'), { rcode: 'NOERROR', answers: [] })
  t.match(ask('www.example.com', 'UNKNOWN_65280'), { rcode: 'NOERROR', answers: [] })
  for (const type of ['TSIG', 'TKEY', 'UNKNOWN_253', 'UNKNOWN_129'] as const)
    t.match(ask('example.com', type), { rcode: 'NOTIMP' })
  t.match(ask('example.com', 'OPT'), { rcode: 'FORMERR' })
  t.match(ask('example.com', 'UNKNOWN_0'), { rcode: 'FORMERR' })
  t.match(ask('example.com', 'UNKNOWN_128'), { rcode: 'FORMERR' }, 'NXNAME (RFC 9824 section 3.5)')
})

t.test('EDNS: an OPT for an OPT, BADVERS for a later version', async (t) => {
  t.equal(ask('www.example.com', 'A').additionals?.length, 0)
  for (const dnssecOk of [false, true]) {
    const got = ask('www.example.com', 'A', { edns: { dnssecOk } })
    t.match(got.additionals, [
      { type: 'OPT', udpPayloadSize: 1232, ednsVersion: 0, extendedRcode: 0, flag_do: dnssecOk },
    ])
    t.equal(got.answers?.length, 2)
  }
  const later = ask('www.example.com', 'A', { edns: { version: 1 } })
  t.match(later, { rcode: 'NOERROR', answers: [], additionals: [{ type: 'OPT', extendedRcode: 1, ednsVersion: 0 }] })
})

t.test('UDP answers stay below what the asker and the path take, TCP answers are whole', async (t) => {
  const name = 'big.example.com'
  for (const [edns, limit, fits] of [
    [undefined, 512, false],
    [{ size: 1 }, 512, false],
    [{ size: 600 }, 600, false],
    [{ size: 1232 }, 1232, true],
    [{ size: 65_535 }, 1232, true],
  ] as const) {
    const got = ask(name, 'TXT', edns === undefined ? {} : { edns })
    t.ok(got.bytes.length <= limit, `${got.bytes.length} of ${limit}`)
    t.equal(got.flag_tc, !fits)
    t.equal(got.answers?.length, fits ? 5 : 0)
    t.equal(got.additionals?.length, edns === undefined ? 0 : 1)
  }
  t.match(ask('huge.example.com', 'TXT', { edns: { size: 4096 } }), { flag_tc: true, answers: [] })
  const whole = ask('huge.example.com', 'TXT', { transport: 'tcp' })
  t.match(whole, { flag_tc: false, rcode: 'NOERROR' })
  t.equal(whole.answers?.length, 250)
})

t.test('a broken message is told so, if it is a query at all', async (t) => {
  const query = encode({ id: 7, flags: 0x100, questions: [{ name: 'www.example.com', type: 'A' }] })
  const changed = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(query)
    change(bytes)
    return bytes
  }
  const broken: [title: string, bytes: Uint8Array][] = [
    ['no question', query.subarray(0, 12)],
    ['no question counted', changed((bytes) => bytes.writeUInt16BE(0, 4)).subarray(0, 12)],
    [
      'two questions',
      encode({
        id: 7,
        flags: 0x100,
        questions: [
          { name: 'a.example.com', type: 'A' },
          { name: 'b.example.com', type: 'A' },
        ],
      }),
    ],
    ['octets left over', Buffer.concat([query, Buffer.alloc(3)])],
    ['cut short', query.subarray(0, query.length - 1)],
    ['a pointer as a name', changed((bytes) => bytes.writeUInt16BE(0xc000, 12))],
    ['an answer that is missing', changed((bytes) => bytes.writeUInt16BE(1, 6))],
    ['65,535 records', changed((bytes) => bytes.writeUInt16BE(0xffff, 10))],
  ]
  for (const [title, bytes] of broken) {
    const got = send(bytes)
    t.match(got, { id: 7, rcode: 'FORMERR', flag_rd: true, flag_aa: false, answers: [] }, title)
  }
  const opt = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: 1232,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  } as const
  const twoOpts = encode({
    id: 7,
    questions: [{ name: 'www.example.com', type: 'A' }],
    additionals: [
      { ...opt, options: [] },
      { ...opt, options: [] },
    ],
  })
  t.match(send(twoOpts), { rcode: 'FORMERR' }, 'two OPT records (RFC 6891)')
  const withOption = encode({
    id: 7,
    questions: [{ name: 'www.example.com', type: 'A' }],
    additionals: [{ ...opt, options: [{ code: 12, length: 4 }] }],
  })
  t.match(send(withOption), { rcode: 'NOERROR' })
  withOption.writeUInt16BE(5, withOption.length - 6)
  t.match(send(withOption), { rcode: 'FORMERR' }, 'an option beyond the OPT')
  for (const opcode of [1, 2, 4, 5, 6, 15]) {
    const got = send(changed((bytes) => bytes.writeUInt16BE((opcode << 11) | 0x100, 2)))
    t.match(got, { id: 7, rcode: 'NOTIMP', flag_rd: true, questions: [], answers: [] })
    t.equal((got.bytes.readUInt16BE(2) >> 11) & 0xf, opcode)
  }
  t.strictSame(
    respond(
      changed((bytes) => bytes.writeUInt16BE(0x8000, 2)),
      contextOf({ table }),
    ),
    { kind: 'drop', malformed: false },
  )
  t.strictSame(respond(query.subarray(0, 11), contextOf({ table })), { kind: 'drop', malformed: true })
})
