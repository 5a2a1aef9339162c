import {
  type ChangeOf,
  type Hostname,
  type Key,
  keys,
  type Operation,
  type OperationId,
  type Release,
  type State,
} from '../../core/index.ts'

/** What of a replica says which releases there were. */
export interface ReleaseHistory {
  readonly state: State
  /** What stands side by side at a key, greatest first. */
  frontier(key: Key): readonly { readonly operation: OperationId; readonly value: unknown }[]
  /** What the sides of a key have in common. */
  mergeBase(key: Key): OperationId | undefined
  read(id: OperationId): Promise<Operation | undefined>
  /** Newest first: counted operations that touch a key. */
  history(key?: Key): AsyncIterable<Operation>
  /** True when b descends from a. */
  isAncestor(a: OperationId, b: OperationId): boolean
}

/** The change by which an operation published a release of a domain; undefined where it removed the domain, or touched others only. */
export function findPublication({ changes }: Operation, domain: Hostname): ChangeOf<'release.publish'> | undefined {
  // The last change of an operation to a key is what the key becomes.
  const last = changes.findLast(
    (change) => (change.kind === 'release.publish' || change.kind === 'domain.remove') && change.domain === domain,
  )
  return last?.kind === 'release.publish' ? last : undefined
}

/** The release that an operation made of a domain; undefined where there is no such publication. */
export function findPublished(operation: Operation, domain: Hostname): Release | undefined {
  const publication = findPublication(operation, domain)
  if (publication === undefined) return undefined
  const { kind, via, ...value } = publication
  return { ...value, id: operation.id, domain }
}

/** An operation that takes every release of a domain that it has seen back for good, but one. */
export interface Purge {
  readonly id: OperationId
  readonly keep: OperationId
}

/** True for a release that an owner took back for good. */
export function isPurged(
  history: Pick<ReleaseHistory, 'isAncestor'>,
  release: OperationId,
  purges: readonly Purge[],
): boolean {
  return purges.some(({ id, keep }) => keep !== release && history.isAncestor(release, id))
}

/** Newest first. */
export async function listPurges(replica: ReleaseHistory, domain: Hostname): Promise<readonly Purge[]> {
  const purges: Purge[] = []
  for await (const { id, changes } of replica.history(keys.purge(domain))) {
    for (const change of changes)
      if (change.kind === 'release.purge' && change.domain === domain) purges.push({ id, keep: change.keep })
  }
  return purges
}
