import { isIPv6 } from 'node:net'
import t from 'tap'
import {
  attribute,
  listAttributes,
  nested,
  readAttributes,
  readText,
  readU32,
  textAttribute,
  u32,
} from '../../../../replication/mesh/netlink/attributes.ts'
import { ipBytes, parseNetwork } from '../../../../replication/mesh/netlink/ip-bytes.ts'
import {
  decodeMessages,
  encodeMessage,
  NLMSG_DONE,
  NLMSG_ERROR,
  readFault,
} from '../../../../replication/mesh/netlink/message.ts'
import { createRandom, type Random, seeds } from '../../../support/seeds.ts'

const randomAttributes = (random: Random) =>
  Array.from({ length: random.integer(6) }, () => ({
    type: random.integer(0x3fff),
    value: Buffer.from(random.bytes(random.integer(40))),
  }))

for (const seed of seeds(50)) {
  t.test(`what is written is what is read (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const attributes = randomAttributes(random)
    const bytes = Buffer.concat(attributes.map(({ type, value }) => attribute(type, value)))
    t.strictSame(listAttributes(bytes), attributes)
    t.strictSame(listAttributes(listAttributes(nested(7, bytes))[0]?.value as Buffer), attributes, 'nested')
    const messages = Array.from({ length: 1 + random.integer(4) }, (_, i) => ({
      type: random.integer(0xffff),
      flags: random.integer(0xffff),
      sequence: i,
      body: Buffer.from(random.bytes(random.integer(60))),
    }))
    t.strictSame(decodeMessages(Buffer.concat(messages.map(encodeMessage))), messages)
  })

  t.test(`bytes that are cut or turned are read or refused in words, and in bounded time (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const whole = Buffer.concat(randomAttributes(random).map(({ type, value }) => attribute(type, value)))
    const message = encodeMessage({
      type: NLMSG_ERROR,
      flags: 0x300,
      sequence: 1,
      body: Buffer.concat([u32(1), whole]),
    })
    for (let i = 0; i < 200; i++) {
      const bytes = Buffer.from(random.chance(0.5) ? message : random.bytes(random.integer(80)))
      for (let turns = random.integer(4); turns > 0 && bytes.length > 0; turns--)
        bytes[random.integer(bytes.length)] = random.integer(256)
      const cut = bytes.subarray(0, random.integer(bytes.length + 1))
      for (const read of [listAttributes, decodeMessages, (b: Buffer) => decodeMessages(b).map(readFault)]) {
        try {
          read(cut)
        } catch (error) {
          t.match(error, { code: 'MAKI_PROTOCOL' })
        }
      }
    }
    t.pass()
  })

  t.test(`addresses are the bytes that the system reads (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    for (let i = 0; i < 50; i++) {
      const groups = Array.from({ length: 8 }, () => (random.chance(0.5) ? 0 : random.integer(0x10000)))
      const long = groups.map((group) => group.toString(16)).join(':')
      const short = new URL(`http://[${long}]`).hostname.slice(1, -1)
      t.strictSame(ipBytes(short), ipBytes(long), short)
      t.equal(ipBytes(short).toString('hex'), groups.map((group) => group.toString(16).padStart(4, '0')).join(''))
    }
  })
}

t.test('addresses in other notations, and what is none', async (t) => {
  t.equal(ipBytes('192.0.2.7').toString('hex'), 'c0000207')
  t.equal(ipBytes('::ffff:192.0.2.7').toString('hex'), '00000000000000000000ffffc0000207')
  t.equal(ipBytes('::').toString('hex'), '0'.repeat(32))
  t.strictSame(parseNetwork('fd00::/48'), { family: 10, bytes: ipBytes('fd00::'), bits: 48 })
  t.strictSame(parseNetwork('192.0.2.7'), { family: 2, bytes: ipBytes('192.0.2.7'), bits: 32 })
  for (const text of ['', 'host', 'fe80::1%eth0', 'fd00::/129', 'fd00::/', '1.2.3.4/33', 'fd00::/48/1', 'fd00::/x'])
    t.throws(() => parseNetwork(text), { code: 'MAKI_INVALID' }, text)
  t.ok(isIPv6('fd00::'))
})

t.test('words of the kernel are read wherever they stand', async (t) => {
  const words = textAttribute(1, 'no such thing')
  const errno = Buffer.alloc(4)
  errno.writeInt32LE(-2)
  const request = encodeMessage({ type: 16, flags: 1, sequence: 9, body: Buffer.alloc(20) })
  const told = (flags: number, ...parts: Buffer[]) =>
    readFault({ type: NLMSG_ERROR, flags, sequence: 9, body: Buffer.concat([errno, ...parts]) })
  t.strictSame(told(0x200, request, words), { errno: 2, text: 'no such thing' }, 'behind the whole request')
  t.strictSame(told(0x300, request.subarray(0, 16), words), { errno: 2, text: 'no such thing' }, 'behind its header')
  t.strictSame(told(0, request), { errno: 2, text: undefined })
  t.strictSame(readFault({ type: NLMSG_DONE, flags: 0, sequence: 9, body: Buffer.alloc(0) }).errno, 0)
})

t.test('numbers and texts of another length are as if they were not there', async (t) => {
  const read = readAttributes(
    Buffer.concat([attribute(1, Buffer.alloc(2)), textAttribute(2, 'wawa0'), attribute(3, u32(7))]),
  )
  t.equal(readU32(read.get(1)), undefined)
  t.equal(readText(read.get(2)), 'wawa0')
  t.equal(readU32(read.get(3)), 7)
  t.throws(() => attribute(1, Buffer.alloc(70_000)), { code: 'MAKI_PROTOCOL' })
})
