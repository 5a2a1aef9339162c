import { promises as dns } from 'node:dns'
import { type CaaFacts, type HostFacts, type Hostname, type NodeView, readCaa } from '../../../core/index.ts'
import { formatListenAddress, type ListenAddress } from '../../config/index.ts'

/** For the first try at one resolver; the second waits longer. */
const TIMEOUT_MS = 3_000
const TRIES = 2
/** What stands in a sentence. */
const MAX_NAMED = 3

/** Finds out where a host leads, and who may certify it. Never rejects. */
export type LookUpHost = (host: Hostname, nodes: readonly NodeView[]) => Promise<Omit<HostFacts, 'foundMs'>>

type Outcome<T> =
  | { readonly kind: 'found'; readonly values: readonly T[] }
  | { readonly kind: 'failed'; readonly why: string }

/**
 * By the given resolvers, or those of the system where none is given: what they say comes from the servers that the world is sent to.
 * That our nodes answer for a zone is told by its SOA, which is theirs whatever else is written in it.
 */
export function createHostLookup(resolvers: readonly ListenAddress[]): LookUpHost {
  const servers = resolvers.map(formatListenAddress)
  return async (host, nodes) => {
    // A new one for each: another source port, and the resolvers of the system as they are now.
    const resolver = new dns.Resolver({ timeout: TIMEOUT_MS, tries: TRIES })
    if (servers.length > 0) resolver.setServers(servers)
    const [where, caa] = await Promise.all([findWhere(resolver, host, nodes), findCaa(resolver, host)])
    return { ...where, caa }
  }
}

async function findWhere(
  resolver: dns.Resolver,
  host: Hostname,
  nodes: readonly NodeView[],
): Promise<Pick<HostFacts, 'pointing' | 'found'>> {
  const soa = await ask(resolver.resolveSoa(host).then((one) => [one]))
  const [top] = soa.kind === 'found' ? soa.values : []
  if (top !== undefined && isOurs(top, host, nodes))
    return { pointing: 'delegated', found: 'its name servers are the nodes' }
  const [ipv4, ipv6] = await Promise.all([ask(resolver.resolve4(host)), ask(resolver.resolve6(host))])
  const failed = [ipv4, ipv6].find((one) => one.kind === 'failed')
  if (failed?.kind === 'failed') return { pointing: 'unknown', found: failed.why }
  const addresses = [ipv4, ipv6].flatMap((one) => (one.kind === 'found' ? one.values : []))
  if (addresses.length === 0) return { pointing: 'elsewhere', found: 'it has no address' }
  const own = new Set(
    nodes.flatMap(({ ipv4: four, ipv6: six }) => [four, six].flatMap((one) => (one === null ? [] : canonical(one)))),
  )
  const strange = addresses.filter((address) => !own.has(canonical(address)))
  if (strange.length === 0) return { pointing: 'ours', found: 'its addresses are those of the nodes' }
  const named = strange.slice(0, MAX_NAMED).join(', ')
  return { pointing: 'elsewhere', found: `its addresses are ${named}${strange.length > MAX_NAMED ? ', …' : ''}` }
}

/** As `buildSoa` of the zones writes it. */
function isOurs(soa: { nsname: string; hostmaster: string }, apex: string, nodes: readonly NodeView[]): boolean {
  const primary = soa.nsname.toLowerCase()
  const isServer = primary === `ns.${apex}` || nodes.some(({ name }) => primary === `${name}.ns.${apex}`)
  return isServer && soa.hostmaster.toLowerCase() === `admin.${apex}`
}

/** RFC 8659 section 3: the records of the closest name that has some. Undefined where nobody answers. */
async function findCaa(resolver: dns.Resolver, host: Hostname): Promise<CaaFacts | 'none' | undefined> {
  for (let name: string = host; name !== ''; name = name.includes('.') ? name.slice(name.indexOf('.') + 1) : '') {
    const answer = await ask(resolver.resolveCaa(name))
    if (answer.kind === 'failed') return undefined
    if (answer.values.length > 0) return readCaa(name as Hostname, answer.values.flatMap(formatCaa))
  }
  return 'none'
}

/** As a master file has it; what is read there is read in one place. */
function formatCaa(record: object): string[] {
  const { critical = 0, type, ...properties } = record as Record<string, unknown>
  return Object.entries(properties).map(([tag, value]) => `${Number(critical)} ${tag} ${JSON.stringify(String(value))}`)
}

async function ask<T>(asked: Promise<readonly T[]>): Promise<Outcome<T>> {
  try {
    return { kind: 'found', values: await asked }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    if (code === dns.NOTFOUND || code === dns.NODATA) return { kind: 'found', values: [] }
    return { kind: 'failed', why: REASONS[code] ?? `the resolver could not be asked (${code})` }
  }
}

const REASONS: Readonly<Record<string, string>> = {
  [dns.TIMEOUT]: 'the resolver did not answer in time',
  [dns.SERVFAIL]: 'the resolver found no answer (SERVFAIL)',
  [dns.REFUSED]: 'the resolver refuses to answer (REFUSED)',
  [dns.CONNREFUSED]: 'no resolver can be reached',
  [dns.BADRESP]: 'the resolver answered what cannot be read',
}

/** One address has several spellings. */
const canonical = (address: string): string => {
  const host = address.includes(':') ? URL.parse(`http://[${address}]/`)?.hostname : address
  return host ?? address
}
