/**
 * Names for which a valid certificate is served: hosts, and wildcards of one label (RFC 9525 section 6.3). Immutable; what
 * is answered by it is decided anew when another takes its place.
 */
export class SecuredHosts {
  static readonly none: SecuredHosts = new SecuredHosts([])

  readonly #names: ReadonlySet<string>
  /** Names by what follows their first label, so that a site finds those right below it. */
  readonly #below = new Map<string, string[]>()

  /** `names` are in lower case, without final dot. */
  constructor(names: Iterable<string>) {
    this.#names = new Set(names)
    for (const name of this.#names) {
      const parent = parentOf(name)
      const list = this.#below.get(parent)
      if (list === undefined) this.#below.set(parent, [name])
      else list.push(name)
    }
  }

  /** `host` is in lower case, without port and final dot. */
  has(host: string): boolean {
    return this.#names.has(host) || this.#names.has(`*.${parentOf(host)}`)
  }

  /** What of it concerns a site: names for its hosts, and those right below its apex, where its previews are. */
  of(apex: string, hosts: readonly string[]): SecuredHosts {
    const names = new Set(this.#below.get(apex))
    for (const host of hosts) {
      for (const name of [host, `*.${parentOf(host)}`]) if (this.#names.has(name)) names.add(name)
    }
    return names.size === 0 ? SecuredHosts.none : new SecuredHosts(names)
  }

  equals(other: SecuredHosts): boolean {
    if (this.#names.size !== other.#names.size) return false
    for (const name of this.#names) if (!other.#names.has(name)) return false
    return true
  }
}

function parentOf(name: string): string {
  const dot = name.indexOf('.')
  return dot === -1 ? '' : name.slice(dot + 1)
}
