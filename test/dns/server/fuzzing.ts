import { ServerCookies } from '../../../dns/message/index.ts'
import { type Identity, respond } from '../../../dns/service/index.ts'
import { buildZone } from '../../../dns/zone/index.ts'
import { ZoneTable } from '../../../dns/zone/zone-table.ts'
import type { Random } from '../../support/seeds.ts'
import { contextOf } from '../answering.ts'
import { aliasSet, ClusterState, domainSet, host, nodeJoin, owner, recordSet } from '../cluster-state.ts'
import { randomMessage } from './mutations.ts'
import { findBroken, kindOf } from './reply-invariants.ts'

/** What came of a run. */
export interface FuzzResult {
  /** `NOERROR`, ..., `drop`: how often. */
  readonly outcomes: Map<string, number>
  /** Over UDP, octets of the reply for one of the query: the largest of each kind. */
  readonly amplification: Map<string, number>
  /** The first exchanges that broke a promise. */
  readonly broken: string[]
}

export const NSID = 'node-1'
const identity: Identity = {
  cookies: new ServerCookies('000102030405060708090a0b0c0d0e0f'),
  nsid: NSID,
  version: 'makiatto',
  nowSeconds: () => 1_700_000_000,
}
const table = fuzzedTable()

/** A zone with everything that can be answered in its own way. */
function fuzzedTable(): ZoneTable {
  const cluster = new ClusterState()
  const record = (name: string, type: string, ...values: string[]) => recordSet('example.com', name, type, values)
  cluster.commit(domainSet('example.com'), aliasSet('example.com', 'www.example.com'))
  cluster.commit(nodeJoin(1, 'tokyo'), nodeJoin(2, 'berlin'))
  cluster.commit(
    record('@', 'MX', '10 mail.example.com.', '20 mail.example.net.'),
    record('mail', 'A', '198.51.100.25'),
    record('alias', 'CNAME', 'www.example.com.'),
    record('loop', 'CNAME', 'loop.example.com.'),
    record('*.wild', 'TXT', '"anything"'),
    record('cut', 'NS', 'ns.cut.example.com.', 'ns.example.net.'),
    record('ns.cut', 'A', '198.51.100.53'),
    record('far', 'ALIAS', 'nowhere.example.net.'),
    record('near', 'ALIAS', 'www.example.com.'),
    {
      kind: 'record.set',
      domain: host('example.com'),
      name: owner('nodes'),
      type: 'A',
      ttl: 60,
      values: [],
      geo: true,
    },
    record('deep.down.below', 'HTTPS', '1 . alpn=h2'),
    // Nearly as much as an answer over UDP can be, and more than that.
    record('wide', 'TXT', ...Array.from({ length: 5 }, (_, i) => `"${'y'.repeat(210)}${i}"`)),
    record('big', 'TXT', ...Array.from({ length: 250 }, (_, i) => `"${'x'.repeat(200)}${i}"`)),
  )
  const zone = buildZone(cluster.state, host('example.com'))?.zone
  return ZoneTable.of(zone === undefined ? [] : [zone])
}

/** Sends random messages through `respond` and looks at every reply. */
export function fuzz(random: Random, messages: number): FuzzResult {
  const outcomes = new Map<string, number>()
  const amplification = new Map<string, number>()
  const broken: string[] = []
  for (let i = 0; i < messages && broken.length < 5; i++) {
    const message = randomMessage(random)
    const transport = random.pick(['udp', 'tcp'] as const)
    const at = () => `message ${i} over ${transport}: ${message.toString('hex')}`
    try {
      const reply = respond(message, contextOf({ table, transport }), identity)
      const outcome = reply.kind === 'send' ? reply.rcode : 'drop'
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      const bytes = reply.kind === 'send' ? Buffer.from(reply.bytes) : undefined
      const fault = findBroken({ message, reply: bytes, transport, nsid: NSID })
      if (fault !== undefined) broken.push(`${fault}; ${at()}`)
      if (bytes === undefined || reply.kind === 'drop' || transport === 'tcp') continue
      const kind = kindOf(bytes)
      amplification.set(kind, Math.max(amplification.get(kind) ?? 0, bytes.length / message.length))
      const cut = reply.unproven && Buffer.from(reply.unproven.cut().bytes)
      const cutFault = cut && findBroken({ message, reply: cut, transport, nsid: NSID })
      if (cutFault !== undefined) broken.push(`cut: ${cutFault}; ${at()}`)
      if (cut !== undefined)
        amplification.set('cut', Math.max(amplification.get('cut') ?? 0, cut.length / message.length))
    } catch (error) {
      broken.push(`${error instanceof Error ? error.stack : String(error)}; ${at()}`)
    }
  }
  return { outcomes, amplification, broken }
}
