import type { Manifest } from '../../core/index.ts'

/** A path that is not the same in two releases. */
export interface PathChange {
  readonly kind: 'added' | 'changed' | 'removed'
  readonly path: string
  /** Bytes before and after; null where the path is not there. */
  readonly wasBytes: number | null
  readonly isBytes: number | null
}

/** What changes from one list of files to another, sorted by path. Pure. */
export function diffManifests(from: Manifest, to: Manifest): readonly PathChange[] {
  const changes: PathChange[] = []
  for (const { path, sizeBytes } of to.changedFrom(from)) {
    const was = from.find(path)
    changes.push({
      kind: was === undefined ? 'added' : 'changed',
      path,
      wasBytes: was?.sizeBytes ?? null,
      isBytes: sizeBytes,
    })
  }
  for (const { path, sizeBytes } of from.changedFrom(to))
    if (to.find(path) === undefined) changes.push({ kind: 'removed', path, wasBytes: sizeBytes, isBytes: null })
  return changes.sort((a, b) => (a.path < b.path ? -1 : 1))
}
