import type { Hostname, OwnerName } from '../names.ts'
import { keys, type RecordValue, type State } from '../state/index.ts'
import { readCaa } from './caa.ts'
import type { CaaFacts } from './ports.ts'

/** RFC 1035 section 2.3.4, less the length byte of the root. */
const MAX_NAME_LENGTH = 253

/** What was written into a zone of ours that bears on certificates of the hosts in it. Looks up what it is asked for, and nothing else. */
export class ZoneOutline {
  readonly apex: Hostname
  readonly #state: State

  constructor(state: State, apex: Hostname) {
    this.#state = state
    this.apex = apex
  }

  /** The name at or above the host, below the apex, from where on somebody else answers (RFC 9499 section 7). */
  findCut(host: string): string | undefined {
    return this.#climb(host).find((name) => name !== this.apex && this.#has(name, 'NS'))
  }

  /** What keeps the answer to DNS-01 for a host from being ours, in words; undefined where nothing does. */
  findDnsObstacle(host: Hostname): string | undefined {
    const asked = `_acme-challenge.${host}`
    if (asked.length > MAX_NAME_LENGTH) return `the name ${asked} would be too long`
    const cut = this.findCut(asked)
    if (cut !== undefined) return `${cut} is delegated to other name servers by its NS records`
    if (this.#has(asked, 'CNAME')) return `${asked} is a CNAME to elsewhere`
    const moved = this.#climb(host).find((name) => this.#has(name, 'DNAME'))
    return moved === undefined ? undefined : `what is below ${moved} lies elsewhere by its DNAME`
  }

  /** The type of a record that leads visitors of a host elsewhere than to the nodes. */
  findForeignAddress(host: Hostname): string | undefined {
    return ['CNAME', 'ALIAS', 'A', 'AAAA'].find((type) => {
      const value = this.#find(host, type)
      // The nodes' own addresses, which somebody wrote by name.
      return value !== undefined && value.geo !== true
    })
  }

  /**
   * The CAA records that count for a host of the zone: `automatic` where they are the ones that we make, which let our
   * authorities issue; `foreign` where a CNAME leads to those of somebody else.
   */
  findCaa(host: Hostname): CaaFacts | 'automatic' | 'foreign' {
    for (const name of this.#climb(host)) {
      if (this.#has(name, 'CNAME')) return 'foreign'
      const caa = this.#find(name, 'CAA')
      if (caa !== undefined) return readCaa(name as Hostname, caa.values)
    }
    return 'automatic'
  }

  #has(name: string, type: string): boolean {
    return this.#find(name, type) !== undefined
  }

  #find(name: string, type: string): RecordValue | undefined {
    const owner = (name === this.apex ? '@' : name.slice(0, -this.apex.length - 1)) as OwnerName
    return this.#state.get(keys.record(this.apex, owner, type))?.value as RecordValue | undefined
  }

  /** The name and those above it, down to the apex. */
  #climb(host: string): string[] {
    const names: string[] = []
    for (let name = host; name.endsWith(`.${this.apex}`); name = name.slice(name.indexOf('.') + 1)) names.push(name)
    return [...names, this.apex]
  }
}
