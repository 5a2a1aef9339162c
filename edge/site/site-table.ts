import type { Hostname, Manifest, OperationId } from '../../core/index.ts'
import type { FunctionTable } from '../functions/index.ts'
import type { SiteRules } from '../rules/index.ts'
import type { SiteTransforms } from '../transforms/index.ts'
import { HostMap } from './host-map.ts'
import type { SecuredHosts } from './secured-hosts.ts'

/** What answers for one domain; immutable, so a request that holds it sees one release from start to end. */
export interface Site {
  readonly domain: Hostname
  /** The apex and the aliases that the domain holds. */
  readonly hosts: readonly Hostname[]
  /** Unknown paths answer /index.html. */
  readonly spa: boolean
  /** Its releases can be seen at hosts of their own. */
  readonly previews: boolean
  /** Absolute http or https URL without final slash, query and fragment; the request's path and query follow it. */
  readonly redirect: string | undefined
  /** What is served here now. */
  readonly release: SiteRelease | undefined
  /** A release was published, so that its absence here means that it is still on its way. */
  readonly published: boolean
  /** Which of its hosts, and of its previews, have a valid certificate here. */
  readonly secured?: SecuredHosts
}

/** A release of which this node has the whole. */
export interface SiteRelease {
  readonly id: OperationId
  readonly manifest: Manifest
  /** When it was published, as an HTTP date; undefined where nobody knows. */
  readonly lastModified?: string
  /** Undefined where it has none. */
  readonly functions?: FunctionTable
  /** What its files go through; undefined where it has no transforms. */
  readonly transforms?: SiteTransforms
  /** What its `_redirects` and `_headers` say; undefined where it has neither. */
  readonly rules?: SiteRules
  /** Lines of these that are no rules, and do not count. */
  readonly ruleFaults?: number
}

/** Host -> site; immutable. A change makes a new table, which is swapped in by reference. */
export class SiteTable {
  static readonly empty: SiteTable = new SiteTable(HostMap.empty, HostMap.empty)

  readonly #sites: HostMap<Site>
  readonly #hosts: HostMap<Hostname>

  private constructor(sites: HostMap<Site>, hosts: HostMap<Hostname>) {
    this.#sites = sites
    this.#hosts = hosts
  }

  /** `host` is in lower case and without port, as `findHost` gives it. */
  findSite(host: string): Site | undefined {
    const domain = this.#hosts.get(host)
    return domain === undefined ? undefined : this.#sites.get(domain)
  }

  siteOf(domain: Hostname): Site | undefined {
    return this.#sites.get(domain)
  }

  /** Which domain a host belongs to. */
  ownerOf(host: string): Hostname | undefined {
    return this.#hosts.get(host)
  }

  get domains(): readonly Hostname[] {
    return [...this.#sites.keys()] as Hostname[]
  }

  /** A new table in which each of `changes` (undefined: no site any more) replaces what its domain had. */
  with(changes: ReadonlyMap<Hostname, Site | undefined>): SiteTable {
    const moved = [...changes].filter(([domain, site]) => !equalHosts(this.#sites.get(domain)?.hosts, site?.hosts))
    return new SiteTable(this.#sites.with(changes), moved.length === 0 ? this.#hosts : this.#moveHosts(moved))
  }

  #moveHosts(moved: readonly (readonly [Hostname, Site | undefined])[]): HostMap<Hostname> {
    const hosts = new Map<string, Hostname | undefined>()
    for (const [domain] of moved) {
      for (const host of this.#sites.get(domain)?.hosts ?? [])
        if (this.#hosts.get(host) === domain) hosts.set(host, undefined)
    }
    for (const [domain, site] of moved) for (const host of site?.hosts ?? []) hosts.set(host, domain)
    return this.#hosts.with(hosts)
  }
}

function equalHosts(a: readonly Hostname[] = [], b: readonly Hostname[] = []): boolean {
  return a.length === b.length && a.every((host, i) => host === b[i])
}
