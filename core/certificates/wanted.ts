import { type Hostname, isWithin } from '../names.ts'
import type { CertificateName } from '../operation/index.ts'
import { hostOwner, keys, listNodes, type State } from '../state/index.ts'
import { HostJudge, type HostVerdict } from './host-judge.ts'
import type { CertificateView, ChallengeWay, UncoveredName, WantedCertificate } from './ports.ts'
import { isPublicName } from './public-names.ts'
import { coversName, judgeRenewal } from './renewal.ts'
import { splitNames } from './split-names.ts'
import type { ZoneOutline } from './zone-outline.ts'

/** What the cluster should have, and what it cannot. */
export interface WantedList {
  /** By name. */
  readonly wanted: readonly WantedCertificate[]
  /** By name. */
  readonly uncovered: readonly UncoveredName[]
}

/** Names that go into one certificate. */
interface Group {
  readonly name: CertificateName
  readonly domain: Hostname
  readonly ways: Map<CertificateName, ChallengeWay>
}

/**
 * The certificates that the domains of the state ask for.
 *
 * A zone that the world asks us for has one for `apex`, `*.apex` (previews, aliases to come) and `*.ns.apex` (its name servers),
 * with hosts in it that lie deeper, all by DNS-01. Another domain has one for its apex and the aliases in it that lead to the
 * nodes, by HTTP-01; an alias outside of all these has one of its own. What cannot be certified now is left out and keeps
 * nothing else from being. A look-up that failed takes no name away that a present certificate has. Pure.
 */
export function listWanted(view: CertificateView, judge = createJudge(view)): WantedList {
  return new WantedLister(view, judge).list()
}

/** What is known of the hosts of a view. */
export const createJudge = (view: CertificateView): HostJudge => new HostJudge(view, listApexes(view.state))

/** Not by way of the whole domains: this is asked whenever anything changes, and they may have many records. */
const listApexes = (state: State): readonly Hostname[] =>
  (state.ids('domain') as Hostname[]).filter((apex) => state.get(keys.domain(apex)) !== undefined)

/** Hosts that a domain names and holds, as `findDomain` has them. */
function* eachAlias(state: State): Generator<{ readonly domain: Hostname; readonly host: Hostname }> {
  for (const host of state.ids('host') as Hostname[]) {
    const domain = hostOwner(state, host)
    if (domain === undefined || state.get(keys.domain(domain)) === undefined) continue
    if (state.get(keys.alias(domain, host)) !== undefined) yield { domain, host }
  }
}

class WantedLister {
  readonly #view: CertificateView
  readonly #judge: HostJudge
  readonly #hasServers: boolean
  readonly #groups = new Map<CertificateName, Group>()
  readonly #uncovered = new Map<CertificateName, UncoveredName>()

  constructor(view: CertificateView, judge: HostJudge) {
    this.#view = view
    this.#judge = judge
    this.#hasServers = listNodes(view.state).some(({ nameserver }) => nameserver)
  }

  list(): WantedList {
    const { state } = this.#view
    for (const apex of listApexes(state)) this.#addZone(apex)
    for (const { domain, host } of eachAlias(state)) this.#addAlias(domain, host)
    const wanted = [...this.#groups.values()].flatMap((group) => this.#finish(group))
    return { wanted: wanted.sort(byName), uncovered: [...this.#uncovered.values()].sort(byName) }
  }

  #addZone(apex: Hostname): void {
    const zone = this.#judge.findZone(apex)
    const name = apex as string as CertificateName
    if (zone === undefined || !isPublicName(apex) || this.#judge.standingOf(apex) === 'not-ours') {
      this.#addByHttp(apex, apex, name)
      return
    }
    const wildcard = `*.${apex}` as CertificateName
    const obstacle = zone.findDnsObstacle(apex)
    if (obstacle === undefined) {
      this.#addByDns(zone, apex, name)
      this.#addByDns(zone, apex, wildcard)
    } else {
      this.#addByHttp(apex, apex, name)
      const reason = `${wildcard} can only be certified through the DNS, and ${obstacle}.`
      this.#uncovered.set(wildcard, { name: wildcard, code: 'elsewhere', reason })
    }
    const servers = `ns.${apex}` as Hostname
    if (this.#hasServers && zone.findDnsObstacle(servers) === undefined)
      this.#addByDns(zone, apex, `*.${servers}` as CertificateName)
  }

  #addAlias(domain: Hostname, host: Hostname): void {
    const zone = this.#judge.findServedZone(host)
    const name = host as string as CertificateName
    if (zone === undefined || !isPublicName(host)) {
      this.#addByHttp(domain, host, this.#groupFor(domain, host))
      return
    }
    const group = zone.apex as string as CertificateName
    if (this.#groups.has(name) || this.#isCovered(group, host)) return
    if (zone.findDnsObstacle(host) === undefined) this.#addByDns(zone, zone.apex, name)
    else this.#addByHttp(domain, host, this.#groupFor(domain, host))
  }

  #isCovered(group: CertificateName, host: Hostname): boolean {
    const ways = this.#groups.get(group)?.ways
    const wildcard = `*${host.slice(host.indexOf('.'))}` as CertificateName
    return ways !== undefined && (ways.has(host as string as CertificateName) || ways.has(wildcard))
  }

  /** Hosts of a domain go together where its apex is certified the same way; another one's failure is nobody else's. */
  #groupFor(domain: Hostname, host: Hostname): CertificateName {
    const group = domain as string as CertificateName
    const isAlike = this.#groups.get(group)?.ways.get(group) === 'http-01'
    return isAlike && isWithin(host, domain) ? group : (host as string as CertificateName)
  }

  #addByDns(zone: ZoneOutline, domain: Hostname, name: CertificateName): void {
    // While nobody knows whether the world still asks us, nothing is added to what there is.
    if (this.#judge.standingOf(zone.apex) === 'kept' && !this.#judge.isHeld(name)) {
      const reason = `Whether ${zone.apex} is delegated to the nodes is not known now. It is asked again.`
      this.#uncovered.set(name, { name, code: 'unknown', reason })
    } else this.#add(domain, zone.apex as string as CertificateName, name, 'dns-01', this.#judge.judgeCaa(name))
  }

  #addByHttp(domain: Hostname, host: Hostname, group: CertificateName): void {
    const name = host as string as CertificateName
    // Which certificate it belongs into is known once its domain was looked at.
    if (host !== domain && isWithin(host, domain) && this.#judge.isUnseen(domain) && !this.#judge.isHeld(name)) {
      const reason = `Nobody has looked yet where ${domain} leads.`
      this.#uncovered.set(name, { name, code: 'not-looked', reason })
      return
    }
    this.#add(domain, group, name, 'http-01', this.#judge.judgeByHttp(host))
  }

  #add(domain: Hostname, group: CertificateName, name: CertificateName, way: ChallengeWay, verdict: HostVerdict): void {
    if (!verdict.ok) {
      this.#uncovered.set(name, verdict.why)
      return
    }
    const known = this.#groups.get(group) ?? { name: group, domain, ways: new Map() }
    known.ways.set(name, way)
    this.#groups.set(group, known)
  }

  #finish(group: Group): readonly WantedCertificate[] {
    const names = [...group.ways.keys()].sort()
    const together = names.filter((name) => name === group.name || name.startsWith('*.'))
    const others = names.filter((name) => !together.includes(name))
    return splitNames(together, others).map((list, i) => {
      const name = i === 0 && together.length > 0 ? group.name : ([...list].sort()[0] as CertificateName)
      return this.#besideImported({ name, domain: group.domain, ...withWays(list, group.ways) })
    })
  }

  /** One that was imported and lasts is its owner's: what it lacks goes into another beside it. */
  #besideImported(certificate: WantedCertificate): WantedCertificate {
    const held = this.#view.held.get(certificate.name)
    if (held === undefined || held.directory !== undefined) return certificate
    const { dueMs } = judgeRenewal(held, { revoked: false, directories: [] })
    if (this.#view.nowMs >= dueMs) return certificate
    const lacking = certificate.names.filter((name) => !coversName(held.names, name))
    const [first] = lacking
    if (first === undefined || lacking.length === certificate.names.length) return certificate
    const ways = new Map(lacking.map((name) => [name, certificate.ways.get(hostOf(name)) as ChallengeWay]))
    return { name: first, domain: certificate.domain, ...withWays(lacking, ways) }
  }
}

/** The host that a name of a certificate is shown to be ours by. */
export const hostOf = (name: CertificateName): Hostname =>
  (name.startsWith('*.') ? name.slice(2) : name) as string as Hostname

/** The same certificate for some of its names; they keep how they are shown to be ours. */
export const narrowWanted = (certificate: WantedCertificate, names: readonly CertificateName[]): WantedCertificate => ({
  ...certificate,
  names,
  ways: new Map([...certificate.ways].filter(([host]) => names.some((name) => hostOf(name) === host))),
})

function withWays(
  names: readonly CertificateName[],
  ways: ReadonlyMap<CertificateName, ChallengeWay>,
): Pick<WantedCertificate, 'names' | 'ways'> {
  const sorted = [...names].sort()
  return { names: sorted, ways: new Map(sorted.map((name) => [hostOf(name), ways.get(name) as ChallengeWay])) }
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0
