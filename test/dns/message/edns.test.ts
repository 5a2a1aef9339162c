import t from 'tap'
import { finishResponse } from '../../../dns/message/finish-response.ts'
import { buildResponse, type Query, readQuery } from '../../../dns/message/message.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { type RawEdns, type RawOption, rawOpt, rawQuery, readMessage } from '../wire-message.ts'

const NSID = 3
const SUBNET = 8
const COOKIE = 10

const option = (code: number, hex: string): RawOption => [code, Buffer.from(hex, 'hex')]

/** The query, or the code of the fault that was found in it. */
function read(edns: RawEdns): Query | string {
  const got = readQuery(rawQuery({ edns }))
  if (got.kind === 'query') return got.query
  return got.kind === 'drop' ? 'dropped' : got.response.rcode
}

const readOption = (code: number, hex: string) => read({ options: [option(code, hex)] })

t.test('client subnets as RFC 7871 section 6 has them', async (t) => {
  const good: [hex: string, family: 'ipv4' | 'ipv6', sourcePrefix: number, address: string][] = [
    ['00011800c00002', 'ipv4', 24, 'c0000200'],
    ['00012000c0000201', 'ipv4', 32, 'c0000201'],
    ['00011100c00080', 'ipv4', 17, 'c0008000'],
    ['00010100'.concat('80'), 'ipv4', 1, '80000000'],
    ['00010000', 'ipv4', 0, '00000000'],
    ['0002380020010db8000100', 'ipv6', 56, '20010db8000100000000000000000000'],
    [`00028000${'ab'.repeat(16)}`, 'ipv6', 128, 'ab'.repeat(16)],
    ['00020000', 'ipv6', 0, '0'.repeat(32)],
  ]
  for (const [hex, family, sourcePrefix, address] of good) {
    const query = readOption(SUBNET, hex)
    t.match(query, { edns: { clientSubnet: { family, sourcePrefix, address: Buffer.from(address, 'hex') } } }, hex)
  }
  t.match(readOption(SUBNET, '00000000'), { edns: { clientSubnet: { sourcePrefix: 0, withoutFamily: true } } })
  const bad: [why: string, hex: string][] = [
    ['nothing', ''],
    ['cut', '000118'],
    ['a family that nobody has', '00031800c00002'],
    ['no family, and yet an address', '00000800c0'],
    ['no family, and yet a prefix', '00001800'],
    ['more than 32 bits', '00012100c000020180'],
    ['more than 128 bits', `00028100${'00'.repeat(17)}`],
    ['a scope in a query', '00011818c00002'],
    ['too few octets', '00011800c000'],
    ['too many octets', '00011800c0000200'],
    ['bits beyond the prefix', '00011700c00003'],
    ['a bit beyond the prefix', '00010100c0'],
    ['octets for no bits', '0001000000'],
  ]
  for (const [why, hex] of bad) t.equal(readOption(SUBNET, hex), 'FORMERR', why)
  const subnet = option(SUBNET, '00011800c00002')
  t.equal(read({ options: [subnet, subnet] }), 'FORMERR', 'twice')
})

t.test('cookies as RFC 7873 section 4 has them', async (t) => {
  const client = '0102030405060708'
  const own = Buffer.from(client, 'hex')
  t.match(readOption(COOKIE, client), { edns: { cookie: { client: own, server: undefined } } })
  for (const octets of [8, 16, 32]) {
    const server = 'ee'.repeat(octets)
    t.match(readOption(COOKIE, client + server), {
      edns: { cookie: { client: own, server: Buffer.from(server, 'hex') } },
    })
  }
  for (const octets of [0, 1, 7, 9, 15, 41, 100])
    t.equal(readOption(COOKIE, '00'.repeat(octets)), 'FORMERR', `${octets} octets`)
  const two = read({ options: [option(COOKIE, client), option(COOKIE, '00')] })
  t.match(two, { edns: { cookie: { client: own } } }, 'of two the first counts')
})

for (const seed of seeds(10)) {
  t.test(`options in any order, beside others that nobody knows (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    for (let i = 0; i < 200; i++) {
      const unknown = Array.from(
        { length: random.integer(4) },
        (): RawOption => [random.pick([0, 1, 9, 11, 12, 15, 65_001, 65_535]), random.bytes(random.integer(20))],
      )
      const known = [option(NSID, ''), option(SUBNET, '00011800c00002'), option(COOKIE, '0102030405060708')]
      const query = read({ options: random.shuffle([...known, ...unknown]), flags: random.integer(0x8000) })
      t.match(query, {
        edns: { nsid: true, dnssecOk: false, clientSubnet: { sourcePrefix: 24 }, cookie: { server: undefined } },
      })
    }
  })
}

t.test('versions, lengths, and OPT where there may be none', async (t) => {
  const broken = option(SUBNET, 'ff')
  t.match(read({ version: 1, options: [broken] }), { edns: { version: 1 } }, 'what a later version means is not judged')
  t.match(read({ flags: 0x8000 }), {
    edns: { dnssecOk: true, nsid: false, cookie: undefined, clientSubnet: undefined },
  })
  const short = rawQuery({ edns: { options: [option(NSID, '')] } })
  short.writeUInt16BE(1, short.length - 2)
  t.match(readQuery(short), { kind: 'fault', response: { rcode: 'FORMERR' } }, 'an option that runs over the end')
  const twice = Buffer.concat([rawQuery({ edns: { size: 700 } }), rawOpt({})])
  twice.writeUInt16BE(2, 10)
  t.match(readQuery(twice), { response: { rcode: 'FORMERR', edns: { udpSize: 700 } } }, 'twice')
  const faulty = readQuery(rawQuery({ edns: { options: [broken] } }))
  if (faulty.kind !== 'fault') throw new Error('it was taken')
  t.match(
    readMessage(Buffer.from(finishResponse(faulty.response, 'udp'))),
    { rcode: 1, opt: { version: 0 } },
    'is told so with an OPT',
  )
})

t.test('a response says of the subnet how far it holds', async (t) => {
  const respond = (hex: string, scopePrefix: number): string | undefined => {
    const query = readOption(SUBNET, hex)
    if (typeof query === 'string') throw new Error(query)
    const bytes = finishResponse(buildResponse({ ...query, rcode: 'NOERROR', scopePrefix }), 'udp')
    const found = readMessage(Buffer.from(bytes)).opt?.options.find(([code]) => code === SUBNET)
    return found && Buffer.from(found[1]).toString('hex')
  }
  t.equal(respond('00011800c00002', 16), '00011810c00002')
  t.equal(respond('00011800c00002', 28), '0001181cc00002')
  t.equal(respond('00011800c00002', 99), '00011820c00002')
  t.equal(respond('00010000', 24), '00010000', 'who asks not to be looked at was not')
  t.equal(respond('00000000', 24), '00000000')
  t.equal(respond('0002380020010db8000100', 48), '0002383020010db8000100')
})
