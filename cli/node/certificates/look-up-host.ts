import { promises as dns } from 'node:dns'
import {
  type CaaFacts,
  type HostFacts,
  type Hostname,
  type NodeView,
  type Runtime,
  readCaa,
} from '../../../core/index.ts'
import { formatListenAddress, type ListenAddress } from '../../config/index.ts'
import { askParent, type ParentReport, parseServerAddress } from '../../delegation/index.ts'

/** For the first try at one resolver; the second waits longer. */
const TIMEOUT_MS = 3_000
const TRIES = 2
/** What stands in a sentence. */
const MAX_NAMED = 3
/** A zone that has more name servers than a message has room for is none of ours. */
const MAX_SERVERS = 20

/** Finds out where a host leads, and who may certify it. Never rejects. */
export type LookUpHost = (host: Hostname, nodes: readonly NodeView[]) => Promise<Omit<HostFacts, 'foundMs'>>

type Outcome<T> =
  | { readonly kind: 'found'; readonly values: readonly T[] }
  | { readonly kind: 'failed'; readonly why: string }

/** Asks the servers of the zone above a name who serves it. */
export type AskParent = (apex: Hostname) => Promise<ParentReport>

/**
 * By the given resolvers, or those of the system where none is given. That the world asks our nodes for a zone is told by the servers
 * of the zone above, which are asked themselves: that our own say so proves nothing, and a resolver remembers for hours.
 */
export function createHostLookup(
  resolvers: readonly ListenAddress[],
  runtime: Pick<Runtime, 'after' | 'monotonic' | 'randomBytes'>,
  ask: AskParent = (apex) => askParent(apex, { runtime, timeoutMs: TIMEOUT_MS, resolvers: listResolvers(resolvers) }),
): LookUpHost {
  const servers = resolvers.map(formatListenAddress)
  return async (host, nodes) => {
    // A new one for each: another source port, and the resolvers of the system as they are now.
    const resolver = new dns.Resolver({ timeout: TIMEOUT_MS, tries: TRIES })
    if (servers.length > 0) resolver.setServers(servers)
    const [where, caa] = await Promise.all([findWhere(resolver, host, nodes, ask), findCaa(resolver, host)])
    return { ...where, caa }
  }
}

/** Those of the system with a scope (`fe80::1%eth0`) are left out. */
const listResolvers = (resolvers: readonly ListenAddress[]): readonly ListenAddress[] =>
  resolvers.length > 0
    ? resolvers
    : dns.getServers().flatMap((one) => (one.includes('%') ? [] : parseServerAddress(one)))

type Where = Pick<HostFacts, 'pointing' | 'found'>

async function findWhere(
  resolver: dns.Resolver,
  host: Hostname,
  nodes: readonly NodeView[],
  ask: AskParent,
): Promise<Where> {
  const soa = await read(resolver.resolveSoa(host).then((one) => [one]))
  const [top] = soa.kind === 'found' ? soa.values : []
  // Who is no zone of his own has nothing to be delegated.
  const isZone = top !== undefined || soa.kind === 'failed'
  const above = isZone ? await findServers(resolver, nodes, await ask(host)) : undefined
  if (above?.standing === 'ours') return { pointing: 'delegated', found: 'its name servers are the nodes' }
  if (above?.standing === 'unknown' && top !== undefined && isOurs(top, host, nodes))
    return { pointing: 'unknown', found: above.found }
  const [ipv4, ipv6] = await Promise.all([read(resolver.resolve4(host)), read(resolver.resolve6(host))])
  const failed = [ipv4, ipv6].find((one) => one.kind === 'failed')
  if (failed?.kind === 'failed') return { pointing: 'unknown', found: failed.why }
  const addresses = [ipv4, ipv6].flatMap((one) => (one.kind === 'found' ? one.values : []))
  const own = listAddresses(nodes)
  const strange = addresses.filter((address) => !own.has(canonical(address)))
  if (addresses.length > 0 && strange.length === 0)
    return { pointing: 'ours', found: 'its addresses are those of the nodes' }
  // Such as that of a node that was removed, in a zone that its owner has not changed yet: what a host has it keeps meanwhile.
  if (strange.length < addresses.length)
    return { pointing: 'unknown', found: `some of its addresses are not those of nodes (${nameSome(strange)})` }
  if (above?.standing === 'others') return { pointing: 'elsewhere', found: above.found }
  if (addresses.length === 0) return { pointing: 'elsewhere', found: 'it has no address' }
  return { pointing: 'elsewhere', found: `its addresses are ${nameSome(strange)}` }
}

/** Whom the servers of the zone above send the world to; `none`: to nobody for this name. */
async function findServers(
  resolver: dns.Resolver,
  nodes: readonly NodeView[],
  report: ParentReport,
): Promise<{ readonly standing: 'ours' | 'others' | 'none' | 'unknown'; readonly found: string }> {
  if (report.kind === 'unknown') return { standing: 'unknown', found: report.reason }
  const words = report.servers.flatMap(({ word }) => word ?? [])
  const names = [...new Set(words.flatMap(({ nameServers }) => nameServers))].sort()
  if (names.length === 0) return { standing: 'none', found: 'it has no name servers of its own' }
  const own = listAddresses(nodes)
  const strange: string[] = []
  for (const name of names.slice(0, MAX_SERVERS)) {
    const glue = words.flatMap((word) => word.glue.get(name) ?? [])
    const addresses = glue.length > 0 ? glue : await findAddresses(resolver, name)
    if (addresses === undefined) return { standing: 'unknown', found: `the name server ${name} is not found` }
    const isNode = addresses.length > 0 && addresses.every((address) => own.has(canonical(address)))
    if (!isNode) strange.push(name)
  }
  // One that is another's knows nothing of what ours show, and an authority may ask that one.
  if (strange.length === 0 && names.length <= MAX_SERVERS) return { standing: 'ours', found: '' }
  return { standing: 'others', found: `its name servers are ${nameSome(names)}` }
}

/** Undefined where nobody answers. */
async function findAddresses(resolver: dns.Resolver, name: string): Promise<readonly string[] | undefined> {
  const found = await Promise.all([read(resolver.resolve4(name)), read(resolver.resolve6(name))])
  const addresses = found.flatMap((one) => (one.kind === 'found' ? one.values : []))
  return addresses.length === 0 && found.some(({ kind }) => kind === 'failed') ? undefined : addresses
}

const listAddresses = (nodes: readonly NodeView[]): ReadonlySet<string> =>
  new Set(nodes.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].flatMap((one) => (one === null ? [] : canonical(one)))))

const nameSome = (all: readonly string[]): string =>
  `${all.slice(0, MAX_NAMED).join(', ')}${all.length > MAX_NAMED ? ', …' : ''}`

/** As `buildSoa` of the zones writes it. */
function isOurs(soa: { nsname: string; hostmaster: string }, apex: string, nodes: readonly NodeView[]): boolean {
  const primary = soa.nsname.toLowerCase()
  const isServer = primary === `ns.${apex}` || nodes.some(({ name }) => primary === `${name}.ns.${apex}`)
  return isServer && soa.hostmaster.toLowerCase() === `admin.${apex}`
}

/** RFC 8659 section 3: the records of the closest name that has some. Undefined where nobody answers. */
async function findCaa(resolver: dns.Resolver, host: Hostname): Promise<CaaFacts | 'none' | undefined> {
  for (let name: string = host; name !== ''; name = name.includes('.') ? name.slice(name.indexOf('.') + 1) : '') {
    const answer = await read(resolver.resolveCaa(name))
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

async function read<T>(asked: Promise<readonly T[]>): Promise<Outcome<T>> {
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
