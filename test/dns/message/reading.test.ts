import { isDeepStrictEqual } from 'node:util'
import { type DecodedPacket, decode } from 'dns-packet'
import t from 'tap'
import { readQuery } from '../../../dns/message/message.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { randomMessage } from '../server/mutations.ts'

/** What a library makes of a message; undefined when it does not take all of it. */
function decodeAll(message: Buffer): DecodedPacket | undefined {
  try {
    const packet = decode(message)
    return decode.bytes === message.length ? packet : undefined
  } catch {
    return undefined
  }
}

const lower = (name: string): string => (name === '.' ? '' : name.toLowerCase())

for (const seed of seeds(20)) {
  t.test(`what we read is what others read (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    let compared = 0
    for (let i = 0; i < 2000; i++) {
      const message = randomMessage(random)
      const read = readQuery(message)
      // The library looks into the data of records that are none of our business, and may not like it.
      const packet = decodeAll(message)
      if (read.kind !== 'query' || packet === undefined) continue
      const { question, edns, id, recursionDesired } = read.query
      const same = (what: string, ours: unknown, theirs: unknown) => {
        if (!isDeepStrictEqual(ours, theirs))
          t.fail(`${what}: ${String(ours)}, not ${String(theirs)}: ${message.toString('hex')}`)
      }
      compared += 1
      const [asked] = packet.questions ?? []
      const opt = packet.additionals?.find((record) => record.type === 'OPT')
      const end = 12 + question.wireName.length
      same('id', id, packet.id)
      same('RD', recursionDesired, packet.flag_rd)
      if (/^[\w.-]*$/.test(question.name)) same('name', question.name, lower(asked?.name ?? ''))
      same('type', question.type, message.readUInt16BE(end))
      same('class', question.class, message.readUInt16BE(end + 2))
      same('OPT', edns !== undefined, opt !== undefined)
      if (edns === undefined || opt?.type !== 'OPT') continue
      same('size', edns.udpSize, opt.udpPayloadSize)
      same('version', edns.version, opt.ednsVersion)
      same('DO', edns.dnssecOk, opt.flag_do)
      if (edns.version > 0) continue
      const options = opt.options as readonly { code: number; sourcePrefixLength?: number; data?: Buffer }[]
      const find = (code: number) => options.find((option) => option.code === code)
      same('subnet', edns.clientSubnet?.sourcePrefix, find(8)?.sourcePrefixLength)
      same('NSID', edns.nsid, find(3) !== undefined)
      const { client, server } = edns.cookie ?? {}
      const cookie = client && Buffer.concat([client, server ?? Buffer.alloc(0)])
      same('cookie', cookie?.toString('hex'), find(10)?.data?.toString('hex'))
    }
    t.ok(compared > 200, `${compared} messages compared`)
  })
}

t.test('a message that lies in the middle of other bytes is read as alone', async (t) => {
  const random = createRandom(1)
  for (let i = 0; i < 500; i++) {
    const message = randomMessage(random)
    const before = random.integer(40)
    const around = Buffer.concat([random.bytes(before), message, random.bytes(40)])
    t.strictSame(readQuery(around.subarray(before, before + message.length)), readQuery(Buffer.from(message)))
  }
})
