import type { Hostname } from '../names.ts'
import type { CertificateName } from '../operation/index.ts'
import { listIssuers, permitsIssuer } from './caa.ts'
import type { CaaFacts, CertificateView, HostFacts, UncoveredName } from './ports.ts'
import { isPublicName } from './public-names.ts'
import { ZoneOutline } from './zone-outline.ts'

/** How old a finding may be that takes a name out of a certificate. */
const FRESH_MS = 86_400_000

/** A host of a domain, and whether it can be certified. */
export type HostVerdict = { readonly ok: true } | { readonly ok: false; readonly why: UncoveredName }

/** Who answers for a zone of ours, as far as is known. `kept`: nobody knows now, but a certificate says that we did. */
export type ZoneStanding = 'ours' | 'kept' | 'not-ours'

/** What is known of hosts, put together: findings, what was written into our zones, present certificates. */
export class HostJudge {
  readonly #view: CertificateView
  readonly #outlines: ReadonlyMap<string, ZoneOutline>
  readonly #standings = new Map<Hostname, ZoneStanding>()
  readonly #held: ReadonlySet<CertificateName>
  readonly #issuers = new Map<string, readonly string[] | undefined>()

  constructor(view: CertificateView, apexes: readonly Hostname[]) {
    this.#view = view
    this.#outlines = new Map(apexes.map((apex) => [apex, new ZoneOutline(view.state, apex)]))
    this.#held = new Set([...view.held.values()].flatMap(({ names }) => names))
  }

  /** True where some certificate of ours has the name, valid or not. */
  isHeld(name: CertificateName): boolean {
    return this.#held.has(name)
  }

  /** The zone of ours that a host lies in, whether or not the world asks us for it. */
  findZone(host: string): ZoneOutline | undefined {
    for (let name = host, dot = 0; dot !== -1; dot = name.indexOf('.'), name = name.slice(dot + 1)) {
      const zone = this.#outlines.get(name)
      if (zone !== undefined) return zone
    }
    return undefined
  }

  standingOf(apex: Hostname): ZoneStanding {
    const known = this.#standings.get(apex)
    if (known !== undefined) return known
    const pointing = this.#pointingOf(this.#view.facts(apex))
    const wasOurs = pointing === 'unknown' && this.isHeld(`*.${apex}` as CertificateName)
    const standing = pointing === 'delegated' ? 'ours' : wasOurs ? 'kept' : 'not-ours'
    this.#standings.set(apex, standing)
    return standing
  }

  /** The zone of ours that answers for the host, to the world; not for what is below a cut in it. */
  findServedZone(host: Hostname): ZoneOutline | undefined {
    const zone = this.findZone(host)
    if (zone === undefined || this.standingOf(zone.apex) === 'not-ours') return undefined
    return zone.findCut(host) === undefined ? zone : undefined
  }

  /** True where nobody has looked yet who answers for a host. */
  isUnseen(host: Hostname): boolean {
    return this.#view.facts(host) === undefined
  }

  /** Whether an authority that asks the host over HTTP reaches our nodes. */
  judgeByHttp(host: Hostname): HostVerdict {
    const name = host as string as CertificateName
    const lacks = (code: UncoveredName['code'], reason: string): HostVerdict => ({
      ok: false,
      why: { name, code, reason },
    })
    if (!isPublicName(host)) return lacks('not-public', `${host} is no public name: no authority certifies it.`)
    const served = this.findServedZone(host)
    if (served !== undefined) {
      const foreign = served.findForeignAddress(host)
      if (foreign === undefined) return this.judgeCaa(name)
    }
    const facts = this.#view.facts(host)
    const pointing = this.#pointingOf(facts)
    if (pointing === 'elsewhere')
      return lacks(
        'elsewhere',
        `${host} does not lead to the nodes: ${facts?.found}. Point it at them, or remove it here.`,
      )
    if (pointing !== 'ours' && !this.isHeld(name)) {
      if (facts === undefined) return lacks('not-looked', `Nobody has looked yet where ${host} leads.`)
      return lacks('unknown', `Where ${host} leads is not known: ${facts.found}. It is asked again.`)
    }
    return this.judgeCaa(name)
  }

  /** Whether CAA records let the authority that is wanted issue for the name. */
  judgeCaa(name: CertificateName): HostVerdict {
    const lacks = (code: UncoveredName['code'], reason: string): HostVerdict => ({
      ok: false,
      why: { name, code, reason },
    })
    const caa = this.#findCaa(name)
    if (caa === undefined) {
      if (this.isHeld(name)) return { ok: true }
      return lacks(
        'unknown',
        `Nobody answers for the CAA records of ${name}; no authority issues then. They are asked for again.`,
      )
    }
    const [directory] = this.#view.directories
    if (caa === 'automatic' || directory === undefined) return { ok: true }
    const issuers = this.#issuersOf(directory)
    if (permitsIssuer(caa, name, issuers)) return { ok: true }
    const at = caa === 'none' ? name : caa.at
    const issuer = issuers?.[0]
    const wayOut =
      issuer === undefined ? 'name the authority there' : `add ${JSON.stringify(`0 issue "${issuer}"`)} there`
    return lacks(
      'caa',
      `The CAA records at ${at} do not let ${issuer ?? 'the authority'} issue for ${name}; ${wayOut}.`,
    )
  }

  /** Whether another authority may issue for the name; one that nothing is known of may. */
  permits(name: CertificateName, directory: string): boolean {
    const caa = this.#findCaa(name)
    if (caa === undefined || caa === 'automatic') return true
    return permitsIssuer(caa, name, this.#issuersOf(directory))
  }

  /** Undefined where nobody answered. */
  #findCaa(name: CertificateName): CaaFacts | 'none' | 'automatic' | undefined {
    const host = (name.startsWith('*.') ? name.slice(2) : name) as Hostname
    const written = this.findServedZone(host)?.findCaa(host) ?? 'foreign'
    return written === 'foreign' ? this.#view.facts(host)?.caa : written
  }

  #issuersOf(directory: string): readonly string[] | undefined {
    if (!this.#issuers.has(directory)) this.#issuers.set(directory, listIssuers(this.#view.state, directory))
    return this.#issuers.get(directory)
  }

  /** A finding that is old takes nothing away. */
  #pointingOf(facts: HostFacts | undefined): HostFacts['pointing'] {
    if (facts === undefined) return 'unknown'
    const isFresh = Math.abs(this.#view.nowMs - facts.foundMs) < FRESH_MS
    return facts.pointing === 'elsewhere' && !isFresh ? 'unknown' : facts.pointing
  }
}
