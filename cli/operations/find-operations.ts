import {
  type Change,
  compareOperations,
  type FoldView,
  type Hostname,
  type Key,
  keys,
  MakiError,
  type MemberKey,
  type Operation,
  type OperationId,
  shortId,
} from '../../core/index.ts'
import type { Replica } from '../../replication/index.ts'

/** Which operations are looked for; what is undefined does not matter. */
export interface OperationFilter {
  /** They write one of these keys, and count. */
  readonly keys?: readonly Key[] | undefined
  /** They say something of the domain, or of the host name. */
  readonly domain?: Hostname | undefined
  readonly authors?: ReadonlySet<MemberKey> | undefined
  /** Not before this time, by the author's clock. */
  readonly sinceMs?: number | undefined
}

export type OperationSource = Pick<Replica, 'fold' | 'read' | 'history' | 'held' | 'pending' | 'voids' | 'unknown'>

/**
 * Newest first in total order. Where keys or a domain choose, only what can be meant is read from the store: who touches
 * them, and of what has no effect (void, held, pending, of a newer version) all.
 */
export async function* findOperations(
  source: OperationSource,
  filter: OperationFilter,
): AsyncGenerator<Operation, void, void> {
  const { authors, domain, sinceMs } = filter
  for await (const operation of listCandidates(source, filter)) {
    if (sinceMs !== undefined && operation.stamp.wallMs < sinceMs) return
    if (authors !== undefined && !authors.has(operation.author)) continue
    if (domain !== undefined && !operation.changes.some((change) => concerns(change, domain))) continue
    yield operation
  }
}

async function* listCandidates(
  source: OperationSource,
  filter: OperationFilter,
): AsyncGenerator<Operation, void, void> {
  const { fold } = source
  if (filter.keys === undefined && filter.domain === undefined) {
    yield* source.history()
    return
  }
  const wanted = new Set<OperationId>()
  const chosen = filter.keys ?? listDomainKeys(fold, filter.domain as Hostname)
  for (const key of chosen) for (const id of fold.touching(key)) wanted.add(id)
  // What has no effect touches no key; it is asked about all the same, but not by key.
  const apart: Operation[] = []
  if (filter.keys === undefined) {
    for (const { operation } of source.voids()) wanted.add(operation)
    for (const id of source.unknown()) wanted.add(id)
    for (const id of [...source.held(), ...source.pending()]) {
      const operation = await source.read(id)
      if (operation !== undefined) apart.push(operation)
    }
  }
  apart.sort(compareOperations)
  for (const folded of wanted.size === 0 ? [] : fold.newestFirst()) {
    if (!wanted.delete(folded.id)) continue
    const operation = await source.read(folded.id)
    if (operation === undefined) continue
    for (let next = apart.at(-1); next !== undefined && compareOperations(next, operation) > 0; next = apart.at(-1)) {
      yield next
      apart.pop()
    }
    yield operation
    if (wanted.size === 0) break
  }
  yield* apart.reverse()
}

function* listDomainKeys(fold: FoldView, domain: Hostname): Generator<Key> {
  yield* fold.keysIn(keys.domain(domain))
  yield* fold.keysIn(keys.host(domain))
}

const concerns = (change: Change, domain: Hostname): boolean =>
  ('domain' in change && change.domain === domain) || ('host' in change && change.host === domain)

/** The keys that a name or the beginning of a key stands for, removed members included. Throws MAKI_NOT_FOUND. */
export async function findAuthors(
  source: Pick<OperationSource, 'read' | 'voids'>,
  names: ReadonlyMap<MemberKey, string>,
  typed: string,
): Promise<ReadonlySet<MemberKey>> {
  const wanted = typed.toLowerCase()
  const isMeant = (key: MemberKey): boolean =>
    names.get(key)?.toLowerCase() === wanted || (wanted.length >= 4 && key.startsWith(wanted))
  const found = new Set([...names.keys()].filter(isMeant))
  // Who was never admitted by an operation that counts wrote none that does.
  if (found.size === 0)
    for (const { operation } of source.voids()) {
      const author = (await source.read(operation))?.author
      if (author !== undefined && isMeant(author)) found.add(author)
    }
  if (found.size > 0) return found
  const known = [...names].map(([key, name]) => name || shortId(key))
  throw new MakiError('MAKI_NOT_FOUND', `nobody called ${JSON.stringify(typed)} has changed anything`, {
    hint: `There are: ${[...new Set(known)].sort().join(', ')}`,
  })
}
