import { findChallenges, type Hostname, isWithin, type Scope, type State, scopeKind } from '../../core/index.ts'
import { buildLargestRrset } from '../rdata/index.ts'
import { MAX_NAME_OCTETS, type NameKey, nameOctets, parentName, TYPE_CODES } from '../wire/index.ts'
import type { ZoneContent } from './zone-content.ts'
import { EMPTY_NAME, type ZoneName } from './zone-names.ts'
import { buildFixedSet, type FixedSet } from './zone-set.ts'

/** Seconds: the next order shows other digests, and authorities ask through resolvers that remember. */
export const CHALLENGE_TTL = 5

const LABEL = '_acme-challenge'

/** For which hosts authorities are shown something, found by the zones around them. */
export class ChallengeHosts {
  readonly #byZone = new Map<string, Set<Hostname>>()

  /** Follows the scopes that changed. */
  refresh(state: State, scopes: Iterable<Scope>): void {
    for (const scope of scopes) {
      if (scopeKind(scope) !== 'challenge' || scope === 'challenge') continue
      const host = scope.slice('challenge/'.length) as Hostname
      const isThere = state.scope(scope).length > 0
      for (let zone: string | undefined = host; zone !== undefined; zone = parentName(zone)) {
        const hosts = this.#byZone.get(zone) ?? new Set()
        if (isThere) this.#byZone.set(zone, hosts.add(host))
        else if (hosts.delete(host) && hosts.size === 0) this.#byZone.delete(zone)
      }
    }
  }

  /** Those at or below an apex. */
  within(apex: Hostname): Iterable<Hostname> {
    return this.#byZone.get(apex) ?? []
  }
}

/** The same from the state alone, at the cost of all that it holds. */
export const listChallengeHosts = (state: State, apex: Hostname): readonly Hostname[] =>
  (state.ids('challenge') as readonly Hostname[]).filter((host) => isWithin(host, apex))

/**
 * Puts the TXT records in that DNS challenges ask for (RFC 8555 section 8.4), those of every node that orders, each digest once. A
 * CNAME that was written there stays, for it says who else answers; TXT that was written stays beside ours, with our TTL.
 *
 * A name above that exists for nothing else is an empty non-terminal (RFC 8020), unless a wildcard stands for it: then it
 * stays what the wildcard makes of it, so that no host goes away while a certificate is got for it.
 */
export function addChallenges(
  state: State,
  { apex, names }: Pick<ZoneContent, 'apex' | 'names'>,
  hosts: Iterable<Hostname>,
  automatic: Map<NameKey, ZoneName>,
): void {
  const find = (name: NameKey): ZoneName | undefined => automatic.get(name) ?? names.get(name)
  for (const host of hosts) {
    const name = `${LABEL}.${host}`
    if (nameOctets(name) > MAX_NAME_OCTETS) continue
    const digests = new Set(findChallenges(state, host).flatMap(({ dns }) => dns))
    const present = find(name) ?? EMPTY_NAME
    if (digests.size === 0 || present.sets.some(({ type }) => type === TYPE_CODES.CNAME)) continue
    const isTxt = ({ type }: { readonly type: number }) => type === TYPE_CODES.TXT
    const written = present.sets.find((set): set is FixedSet => isTxt(set) && set.kind === 'fixed')
    // Ours first: they are few, and what does not fit is not what an authority waits for.
    const rdata = [
      ...[...digests].sort().map((digest) => ({ type: 'TXT', strings: [Buffer.from(digest)] }) as const),
      ...(written?.rrset.rdata ?? []),
    ]
    const ttl = Math.min(CHALLENGE_TTL, written?.ttl ?? CHALLENGE_TTL)
    const set = buildFixedSet(buildLargestRrset(name, 'TXT', ttl, rdata))
    addNamesAbove(name, apex, find, automatic)
    automatic.set(name, { ...present, sets: [...present.sets.filter((one) => !isTxt(one)), set] })
  }
}

function addNamesAbove(
  name: NameKey,
  apex: Hostname,
  find: (name: NameKey) => ZoneName | undefined,
  automatic: Map<NameKey, ZoneName>,
): void {
  const missing: NameKey[] = []
  let encloser: NameKey = apex
  for (let above = parentName(name); above !== undefined && above !== apex; above = parentName(above)) {
    encloser = above
    if (find(above) !== undefined) break
    missing.push(above)
    encloser = apex
  }
  if (find(`*.${encloser}`) !== undefined) return
  for (const above of missing) automatic.set(above, EMPTY_NAME)
}
