import { decode, encode, type RecordType } from 'dns-packet'
import t from 'tap'
import { respond } from '../../../dns/service/respond.ts'
import { buildZone } from '../../../dns/zone/build-zone.ts'
import { ZoneTable } from '../../../dns/zone/zone-table.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { contextOf } from '../answering.ts'
import { ClusterState, domainSet, host, nodeJoin, recordSet } from '../cluster-state.ts'

/** With 20 seeds, 100,000 messages. */
const MESSAGES = 5000

const cluster = new ClusterState()
cluster.commit(domainSet('example.com'), nodeJoin(1, 'tokyo'), nodeJoin(2, 'berlin'))
const text = Array.from({ length: 9 }, (_, i) => `"${'x'.repeat(200)}${i}"`)
cluster.commit(
  recordSet('example.com', 'big', 'TXT', text),
  recordSet('example.com', 'to', 'CNAME', ['big.example.com.']),
  recordSet('example.com', '@', 'MX', ['10 big.example.com.', '20 tokyo.ns.example.com.']),
)
const zone = buildZone(cluster.state, host('example.com'))?.zone
const table = ZoneTable.of(zone === undefined ? [] : [zone])

/** Pure noise, and real queries with a few octets changed, cut, repeated or appended. */
function randomMessage(random: Random): Uint8Array {
  if (random.chance(0.2)) return random.bytes(random.integer(random.chance(0.1) ? 2000 : 60))
  const label = () => random.pick(['big', 'to', 'www', 'EXAMPLE', 'x'.repeat(1 + random.integer(63))])
  const name = random.chance(0.7)
    ? `${random.pick(['', 'big.', 'TO.', 'tokyo.ns.', 'no.'])}example.com`
    : `${label()}.${label()}`
  const type = random.pick(['A', 'TXT', 'MX', 'NS', 'SOA', 'ANY', 'CNAME', 'AXFR', 'OPT', 'DS'] as RecordType[])
  const udpPayloadSize = random.pick([0, 100, 512, 513, 700, 1232, 4096, 65_535])
  const opt = {
    type: 'OPT',
    name: '.',
    udpPayloadSize,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
  } as const
  const additionals = random.chance(0.6)
    ? [{ ...opt, options: random.chance(0.3) ? [{ code: 12 as const, length: 5 }] : [] }]
    : []
  const message = encode({
    id: random.integer(65_536),
    flags: random.integer(2) * 0x100,
    questions: [{ name, type }],
    additionals,
  })
  const changed = Uint8Array.from(message)
  for (let i = random.integer(4); i > 0; i--) changed[random.integer(changed.length)] = random.integer(256)
  if (random.chance(0.2)) return changed.subarray(0, random.integer(changed.length))
  if (random.chance(0.1)) return Buffer.concat([changed, random.bytes(random.integer(40))])
  return changed
}

/** The asker's limit, found without our reader: none unless the message is whole by the library's judgement. */
function allowance(message: Uint8Array): number {
  try {
    const sizes = (decode(Buffer.from(message)).additionals ?? []).flatMap((one) =>
      'udpPayloadSize' in one ? [one.udpPayloadSize] : [],
    )
    return Math.min(1232, Math.max(512, ...sizes))
  } catch {
    return 512
  }
}

for (const seed of seeds(20)) {
  t.test(`nothing that arrives does harm (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const outcomes = new Map<string, number>()
    for (let i = 0; i < MESSAGES; i++) {
      const message = randomMessage(random)
      const at = `message ${i}: ${Buffer.from(message).toString('hex')}`
      const transport = random.pick(['udp', 'tcp'] as const)
      const reply = respond(message, contextOf({ table, transport }))
      const isQuery = message.length >= 12 && ((message[2] ?? 0) & 0x80) === 0
      const outcome = reply.kind === 'send' ? reply.rcode : 'drop'
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      if ((reply.kind === 'send') !== isQuery) t.fail(`answered are queries and nothing else; ${at}`)
      if (reply.kind === 'drop') continue
      const bytes = Buffer.from(reply.bytes)
      if (transport === 'udp' && bytes.length > allowance(message)) t.fail(`${bytes.length} octets; ${at}`)
      if (bytes.readUInt16BE(0) !== Buffer.from(message).readUInt16BE(0)) t.fail(`another id; ${at}`)
      if ((bytes.readUInt16BE(2) & 0x8080) !== 0x8000) t.fail(`QR clear or RA set; ${at}`)
      try {
        decode(bytes)
        if (decode.bytes !== bytes.length) t.fail(`octets left over; ${at}`)
      } catch (error) {
        t.fail(`the response does not parse; ${at}`, { error })
      }
    }
    for (const outcome of ['NOERROR', 'FORMERR', 'REFUSED', 'NXDOMAIN', 'NOTIMP', 'drop']) {
      t.ok((outcomes.get(outcome) ?? 0) > 0, `${outcome}: ${outcomes.get(outcome)}`)
    }
  })
}
