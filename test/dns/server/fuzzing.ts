import { ServerCookies } from '../../../dns/message/index.ts'
import { type Identity, respond } from '../../../dns/service/index.ts'
import type { Random } from '../../support/seeds.ts'
import { contextOf } from '../answering.ts'
import { randomMessage } from './mutations.ts'
import { findBroken, kindOf } from './reply-invariants.ts'
import { servedTable } from './served-zone.ts'

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
const table = servedTable()

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
