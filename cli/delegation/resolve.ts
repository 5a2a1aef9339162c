import { RCODES, spellOctet, TYPE_CODES } from '../../dns/index.ts'
import { askOverUdp, type ReceivedRecord, type ReceivedResponse } from '../health/index.ts'
import { type AskOptions, askServer, type ServerAddress } from './ask-server.ts'

export interface ResolveOptions extends AskOptions {
  /** Asked in this order until one answers. */
  readonly resolvers: readonly ServerAddress[]
}

/** What a resolver found; `none`: it says that there is nothing. */
export type Resolved =
  | { readonly kind: 'found'; readonly records: readonly ReceivedRecord[] }
  | { readonly kind: 'none' }
  | { readonly kind: 'unknown'; readonly reason: string }

/** A chain that is longer is one that goes round, or is made to keep us busy. */
const MAX_CHAIN = 8

/** Asks resolvers for a set of records, at the end of aliases. Never rejects but where the signal is aborted. */
export async function resolve(name: string, type: number, options: ResolveOptions): Promise<Resolved> {
  const question = { name, type, recursive: true }
  let reason = 'no resolver is known'
  for (const resolver of options.resolvers) {
    const { answer, fault } = await askOverUdp({ ...resolver, ...options }, question)
    options.signal?.throwIfAborted()
    const whole = answer?.truncated === true ? (await askServer(resolver, [question], options)).answers[0] : answer
    if (whole === undefined) reason = `the resolver ${resolver.host} says nothing: ${fault ?? 'its answer is cut'}`
    else if (whole.rcode === RCODES.NXDOMAIN) return { kind: 'none' }
    else if (whole.rcode !== RCODES.NOERROR)
      reason = `the resolver ${resolver.host} answers ${nameRcode(whole.rcode)} for ${name === '' ? 'the root' : name}`
    else {
      const records = followAliases(whole, name, type)
      return records.length === 0 ? { kind: 'none' } : { kind: 'found', records }
    }
  }
  return { kind: 'unknown', reason }
}

function followAliases({ answers }: ReceivedResponse, asked: string, type: number): readonly ReceivedRecord[] {
  let name = asked
  for (let i = 0; i <= MAX_CHAIN; i++) {
    const found = answers.filter((record) => record.name === name && record.type === type)
    if (found.length > 0) return found
    const alias = answers.find((record) => record.name === name && record.type === TYPE_CODES.CNAME)
    if (alias === undefined) return []
    name = readNameData(alias.data)
  }
  return []
}

/** The name that stands in RDATA as `readAnswer` gives it: uncompressed, lower case. */
export function readNameData(data: Uint8Array): string {
  const labels: string[] = []
  for (let at = 0; at < data.length; ) {
    const length = data[at] as number
    if (length === 0) break
    labels.push(Array.from(data.subarray(at + 1, at + 1 + length), spellOctet).join(''))
    at += 1 + length
  }
  return labels.join('.')
}

/** `REFUSED` for 5. */
export const nameRcode = (rcode: number): string =>
  Object.entries(RCODES).find(([, code]) => code === rcode)?.[0] ?? `RCODE ${rcode}`
