import { RCODES, TYPE_CODES } from '../../dns/index.ts'
import type { DnsQuestion, ReceivedRecord, ReceivedResponse } from '../health/index.ts'
import { readNameData } from './resolve.ts'

/** Records of one name and type that a server answered with. */
export interface ReceivedSet {
  readonly name: string
  readonly type: number
  /** Seconds. */
  readonly ttl: number
  /** RDATA, each once. */
  readonly data: readonly Uint8Array[]
}

export interface ReceivedSets {
  /** By `setKey`. */
  readonly sets: ReadonlyMap<string, ReceivedSet>
  /** Questions that were not answered in a way that says anything. */
  readonly unanswered: readonly DnsQuestion[]
}

export const setKey = ({ name, type }: Pick<ReceivedSet, 'name' | 'type'>): string => `${name} ${type}`

/**
 * Reads what a name server has at the names that it was asked for. An alias and a delegation are sets of their own; where they lead
 * is not looked at. Pure.
 */
export function readSets(
  questions: readonly DnsQuestion[],
  answers: readonly (ReceivedResponse | undefined)[],
): ReceivedSets {
  const sets = new Map<string, ReceivedSet>()
  const unanswered: DnsQuestion[] = []
  for (const [i, question] of questions.entries()) {
    const answer = answers[i]
    const records = answer === undefined ? undefined : readOne(question, answer)
    if (records === undefined) unanswered.push(question)
    else if (records[0] !== undefined) {
      const { name, type, ttl } = records[0]
      const data = [...new Map(records.map((record) => [Buffer.from(record.data).toString('hex'), record.data]))]
      sets.set(setKey({ name, type }), { name, type, ttl, data: data.sort().map(([, octets]) => octets) })
    }
  }
  return { sets, unanswered }
}

/** Undefined where it says nothing. */
function readOne({ name, type }: DnsQuestion, answer: ReceivedResponse): readonly ReceivedRecord[] | undefined {
  const { rcode, authoritative, answers, authorities } = answer
  if (rcode === RCODES.NXDOMAIN && authoritative)
    return answers.filter((record) => isAt(record, name, TYPE_CODES.CNAME))
  if (rcode !== RCODES.NOERROR && rcode !== RCODES.NXDOMAIN) return undefined
  const alias = answers.filter((record) => isAt(record, name, TYPE_CODES.CNAME))
  const found = alias.length > 0 ? alias : answers.filter((record) => isAt(record, name, type))
  if (found.length > 0 && authoritative) return found
  const cut = authorities.find((record) => record.type === TYPE_CODES.NS && isBelow(name, record.name))
  if (!authoritative && cut !== undefined) return authorities.filter((record) => isAt(record, cut.name, TYPE_CODES.NS))
  return authoritative ? [] : undefined
}

const isAt = (record: ReceivedRecord, name: string, type: number): boolean =>
  record.name === name && record.type === type

const isBelow = (name: string, zone: string): boolean => zone !== '' && (name === zone || name.endsWith(`.${zone}`))

/** Hosts that records lead to: of MX, SRV and CNAME. */
export function listTargets({ sets }: ReceivedSets): readonly string[] {
  const skipped = new Map<number, number>([
    [TYPE_CODES.CNAME, 0],
    [TYPE_CODES.MX, 2],
    [TYPE_CODES.SRV, 6],
  ])
  return [...sets.values()].flatMap(({ type, data }) => {
    const before = skipped.get(type)
    return before === undefined ? [] : data.map((octets) => readNameData(octets.subarray(before)))
  })
}
