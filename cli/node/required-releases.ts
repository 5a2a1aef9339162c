import type { Hostname, MemberKey, Operation, OperationId, Release } from '../../core/index.ts'

/**
 * The releases that a batch must not be taken without the files of, given its operations that are not here yet, in total
 * order. One that its author has replaced in the same batch is not among them: it is served nowhere, and its files may be gone
 * for ever, while all that its author did since follows it. Pure.
 */
export function listRequired(fresh: readonly Pick<Operation, 'id' | 'author' | 'heads' | 'changes'>[]): Release[] {
  const required: Release[] = []
  const ids = new Set(fresh.map(({ id }) => id))
  /** Which releases an operation is followed by. What is fresh is followed only by what is fresh. */
  const later = new Map<OperationId, Set<string>>()
  for (const { id, author, heads, changes } of fresh.toReversed()) {
    const after = later.get(id) ?? new Set()
    const published = new Set<string>()
    for (const change of changes) {
      if (change.kind !== 'release.publish') continue
      published.add(nameOf(author, change.domain))
      if (!after.has(nameOf(author, change.domain))) required.push({ ...change, id })
    }
    if (after.size === 0 && published.size === 0) continue
    for (const head of heads)
      if (ids.has(head)) later.set(head, new Set([...(later.get(head) ?? []), ...after, ...published]))
  }
  return required.reverse()
}

const nameOf = (author: MemberKey, domain: Hostname): string => `${author} ${domain}`
