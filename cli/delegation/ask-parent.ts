import { decodeRdata, formatRdata, RCODES, TYPE_CODES } from '../../dns/index.ts'
import type { ReceivedRecord, ReceivedResponse } from '../health/index.ts'
import { askServer, DNS_PORT } from './ask-server.ts'
import { nameRcode, type ResolveOptions, readNameData, resolve } from './resolve.ts'

/** A DS record at the parent (RFC 4034 section 5). */
export interface ParentDs {
  readonly keyTag: number
  /** Canonical presentation. */
  readonly text: string
  /** Seconds. */
  readonly ttl: number
}

/** What one server of the parent says of a delegation. */
export interface ParentWord {
  /** Sorted, lower case, without the final dot; empty where it delegates to nobody. */
  readonly nameServers: readonly string[]
  /** Seconds; the longest that resolvers remember the name servers. */
  readonly ttl: number
  /** By name of a name server: addresses that it hands out with the delegation. Sorted. */
  readonly glue: ReadonlyMap<string, readonly string[]>
  readonly ds: readonly ParentDs[]
}

export interface ParentServer {
  readonly name: string
  readonly address: string
  /** Undefined where it said nothing that can be used. */
  readonly word: ParentWord | undefined
  readonly fault: string | undefined
}

/** What the servers of the zone above say. */
export type ParentReport =
  | {
      readonly kind: 'asked'
      /** Empty for the root. */
      readonly parent: string
      readonly servers: readonly ParentServer[]
    }
  /** Nobody could be asked. */
  | { readonly kind: 'unknown'; readonly parent: string | undefined; readonly reason: string }

/** The root has as many, and no zone needs more. */
const MAX_SERVERS = 13

/**
 * Asks the servers of the zone above `apex`, never our own, who serves it: name servers, glue and DS. A resolver is only asked
 * where those servers are. Never rejects but where the signal is aborted.
 */
export async function askParent(apex: string, options: ResolveOptions): Promise<ParentReport> {
  const found = await findParent(apex, options)
  if ('reason' in found) return { kind: 'unknown', parent: undefined, reason: found.reason }
  const { parent } = found
  const targets = (await Promise.all(found.names.map((name) => locate(name, options)))).flat()
  if (targets.length === 0)
    return { kind: 'unknown', parent, reason: `no address is known of the name servers of ${nameZone(parent)}` }
  const servers = await Promise.all(targets.map((target) => askOne(target, apex, options)))
  if (servers.every(({ word }) => word === undefined)) {
    const reason = servers[0]?.fault ?? 'it says nothing'
    return { kind: 'unknown', parent, reason: `no name server of ${nameZone(parent)} answers (${reason})` }
  }
  return { kind: 'asked', parent, servers }
}

/** `the root` for the empty name. */
export const nameZone = (zone: string): string => (zone === '' ? 'the root' : zone)

/** The addresses of a host, by a resolver; one of each family. */
export async function locate(
  name: string,
  options: ResolveOptions,
): Promise<readonly { readonly name: string; readonly address: string }[]> {
  const found = await Promise.all([TYPE_CODES.A, TYPE_CODES.AAAA].map((type) => resolve(name, type, options)))
  return found.flatMap((result) => {
    const address = result.kind === 'found' ? result.records.flatMap(readAddress).sort()[0] : undefined
    return address === undefined ? [] : [{ name, address }]
  })
}

/** The nearest zone above, which is not always one label up: `example.co.uk` lies in `co.uk`, `a.b.example.com` in `example.com`. */
async function findParent(
  apex: string,
  options: ResolveOptions,
): Promise<{ readonly parent: string; readonly names: readonly string[] } | { readonly reason: string }> {
  for (let zone = above(apex); ; zone = above(zone)) {
    const found = await resolve(zone, TYPE_CODES.NS, options)
    if (found.kind === 'unknown') return { reason: found.reason }
    // At the end of an alias stands the zone of somebody else.
    const records = found.kind === 'found' ? found.records.filter(({ name }) => name === zone) : []
    const names = [...new Set(records.map(({ data }) => readNameData(data)))].sort().slice(0, MAX_SERVERS)
    if (names.length > 0) return { parent: zone, names }
    if (zone === '') return { reason: 'the resolver knows no name server of the root' }
  }
}

const above = (name: string): string => (name.includes('.') ? name.slice(name.indexOf('.') + 1) : '')

async function askOne(
  { name, address }: { readonly name: string; readonly address: string },
  apex: string,
  options: ResolveOptions,
): Promise<ParentServer> {
  const questions = [TYPE_CODES.NS, TYPE_CODES.DS].map((type) => ({ name: apex, type }))
  const { answers, fault } = await askServer({ host: address, port: DNS_PORT }, questions, options)
  const [servers, ds] = answers
  const silent = { name, address, word: undefined }
  if (servers === undefined || ds === undefined) return { ...silent, fault: fault ?? 'no answer' }
  for (const { rcode } of [servers, ds])
    if (rcode !== RCODES.NOERROR && rcode !== RCODES.NXDOMAIN)
      return { ...silent, fault: `it answers ${nameRcode(rcode)}` }
  return { name, address, word: readWord(apex, servers, ds), fault: undefined }
}

/** Pure. */
export function readWord(apex: string, referral: ReceivedResponse, ds: ReceivedResponse): ParentWord {
  const { answers, authorities, additionals } = referral
  const records = [...answers, ...authorities].filter(({ name, type }) => name === apex && type === TYPE_CODES.NS)
  const nameServers = [...new Set(records.map(({ data }) => readNameData(data)))].sort()
  const glue = new Map(
    nameServers.flatMap((server): [string, readonly string[]][] => {
      const addresses = additionals.filter(({ name }) => name === server).flatMap(readAddress)
      return addresses.length === 0 ? [] : [[server, [...new Set(addresses)].sort()]]
    }),
  )
  return {
    nameServers,
    ttl: Math.max(0, ...records.map(({ ttl }) => ttl)),
    glue,
    ds: ds.answers.flatMap((record) => (record.name === apex ? readDs(record) : [])),
  }
}

function readDs({ type, data, ttl }: ReceivedRecord): readonly ParentDs[] {
  if (type !== TYPE_CODES.DS || data.length < 4) return []
  const keyTag = Buffer.from(data).readUInt16BE()
  return [{ keyTag, text: formatReceived('DS', data), ttl }]
}

/** The address in a record of type A or AAAA. */
export function readAddress({ type, data }: ReceivedRecord): readonly string[] {
  if (type === TYPE_CODES.A && data.length === 4) return [formatReceived('A', data)]
  return type === TYPE_CODES.AAAA && data.length === 16 ? [formatReceived('AAAA', data)] : []
}

/** Presentation format, generic where the octets are no data of the type (RFC 3597 section 5). */
export function formatReceived(type: Parameters<typeof decodeRdata>[0], data: Uint8Array): string {
  try {
    return formatRdata(decodeRdata(type, data))
  } catch {
    return `\\# ${data.length} ${Buffer.from(data).toString('hex').toUpperCase()}`.trim()
  }
}
