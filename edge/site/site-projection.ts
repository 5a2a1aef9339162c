import {
  type BlobReader,
  type DomainView,
  findDomain,
  type Hostname,
  hostOwner,
  type Log,
  type Release,
  type Runtime,
  type Scope,
  type State,
} from '../../core/index.ts'
import { loadSiteRelease } from './load-release.ts'
import { SecuredHosts } from './secured-hosts.ts'
import { type Site, type SiteRelease, SiteTable } from './site-table.ts'

/**
 * Keeps the site table in step with the state and with what this node has the whole of. Domains, aliases and settings
 * follow the state at once; what is served changes only by `activate`.
 */
export class SiteProjection {
  readonly #blobs: BlobReader
  readonly #log: Log
  readonly #runtime: Pick<Runtime, 'now'>
  readonly #active = new Map<Hostname, SiteRelease>()
  /** The latest call of `activate` for each domain; an earlier one that comes late has lost. */
  readonly #calls = new Map<Hostname, symbol>()
  #table = SiteTable.empty
  #secured = SecuredHosts.none

  constructor(ports: { blobs: BlobReader; log: Log; runtime: Pick<Runtime, 'now'> }) {
    this.#blobs = ports.blobs
    this.#log = ports.log
    this.#runtime = ports.runtime
  }

  /** The present table. A request takes it once and keeps it. */
  get table(): SiteTable {
    return this.#table
  }

  /** Rebuilds the sites that the changed scopes touch, and no other. */
  refresh(state: State, scopes: ReadonlySet<Scope>): void {
    const changes = new Map<Hostname, Site | undefined>()
    for (const apex of this.#affected(state, scopes)) {
      try {
        const view = findDomain(state, apex)
        changes.set(apex, view === undefined ? undefined : this.#buildSite(state, view))
      } catch (error) {
        // Our mistake; the site stays as it was, and the others must not suffer from it.
        this.#log.error('site.build-failed', { domain: apex, error })
      }
    }
    if (changes.size === 0) return
    this.#table = this.#table.with(changes)
    this.#log.debug('sites.refreshed', { domains: changes.size })
  }

  /** Names for which a valid certificate is served from now on. Only sites that it concerns are replaced. */
  setSecured(names: Iterable<string>): void {
    const secured = new SecuredHosts(names)
    if (secured.equals(this.#secured)) return
    this.#secured = secured
    const changes = new Map<Hostname, Site>()
    for (const domain of this.#table.domains) {
      const site = this.#table.siteOf(domain) as Site
      const own = secured.of(domain, site.hosts)
      if (!own.equals(site.secured ?? SecuredHosts.none)) changes.set(domain, { ...site, secured: own })
    }
    if (changes.size > 0) this.#table = this.#table.with(changes)
  }

  /**
   * Serves `release` from now on, or nothing when it is null. The caller has seen that all its blobs are here. Of calls
   * that overlap the last one counts, in whatever order their manifests are read. Rejects, and leaves what is served,
   * when the manifest is missing (MAKI_BLOB_MISSING) or broken (MAKI_INVALID).
   */
  async activate(domain: Hostname, release: Release | null): Promise<void> {
    const call = Symbol(domain)
    this.#calls.set(domain, call)
    try {
      const next = release === null ? undefined : await this.#load(domain, release)
      if (this.#calls.get(domain) === call) this.#switch(domain, next)
    } finally {
      if (this.#calls.get(domain) === call) this.#calls.delete(domain)
    }
  }

  async #load(domain: Hostname, release: Release): Promise<SiteRelease> {
    const active = this.#active.get(domain)
    if (active?.id === release.id) return active
    return await loadSiteRelease(this.#blobs, domain, release, this.#runtime.now())
  }

  #switch(domain: Hostname, release: SiteRelease | undefined): void {
    if (release === undefined) this.#active.delete(domain)
    else this.#active.set(domain, release)
    const site = this.#table.siteOf(domain)
    if (site === undefined || site.release === release) return
    this.#table = this.#table.with(new Map([[domain, { ...site, release }]]))
    this.#log.info('site.switched', { domain, release: release?.id ?? null })
    if (release?.transforms?.faults)
      this.#log.warn('site.transforms-ignored', { domain, transforms: release.transforms.faults })
    if (release?.ruleFaults) this.#log.warn('site.rules-ignored', { domain, lines: release.ruleFaults })
  }

  #affected(state: State, scopes: ReadonlySet<Scope>): Set<Hostname> {
    const domains = new Set<Hostname>()
    for (const scope of scopes) {
      const slash = scope.indexOf('/')
      const kind = scope.slice(0, slash)
      const id = scope.slice(slash + 1) as Hostname
      if (kind === 'domain') domains.add(id)
      else if (kind === 'host') {
        // The domain that had the host, the one that has it now, and the domain of that very name.
        for (const domain of [this.#table.ownerOf(id), hostOwner(state, id), id]) {
          if (domain !== undefined) domains.add(domain)
        }
      }
    }
    return domains
  }

  #buildSite(state: State, { apex, aliases, settings, release }: DomainView): Site {
    const owner = hostOwner(state, apex)
    const redirect = settings.redirect === undefined ? undefined : findRedirect(settings.redirect)
    if (settings.redirect !== undefined && redirect === undefined) this.#log.warn('site.redirect-invalid', { apex })
    const hosts = owner === undefined || owner === apex ? [...new Set([apex, ...aliases])] : aliases
    return {
      domain: apex,
      hosts,
      secured: this.#secured.of(apex, hosts),
      spa: settings.spa,
      previews: settings.previews,
      redirect,
      release: this.#active.get(apex),
      published: release !== undefined,
    }
  }
}

/** Undefined for what is no absolute http or https URL: operations are made elsewhere, by other versions too. */
function findRedirect(text: string): string | undefined {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return undefined
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}
