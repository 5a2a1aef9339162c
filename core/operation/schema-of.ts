import type { Change, ChangeKind } from './changes.ts'

/** Kinds that schema 1 did not have. */
const SINCE_SCHEMA_2: ReadonlySet<ChangeKind> = new Set([
  'release.hold',
  'release.purge',
  'seal.epoch',
  'seal.grant',
  'certificate.set',
  'certificate.remove',
  'certificate.account',
])

/** Kinds that schema 3 did not have. */
const SINCE_SCHEMA_4: ReadonlySet<ChangeKind> = new Set(['peer.set', 'peer.remove'])

/** Kinds that schema 4 did not have. */
const SINCE_SCHEMA_5: ReadonlySet<ChangeKind> = new Set([
  'certificate.order',
  'certificate.revoke',
  'challenge.set',
  'challenge.remove',
])

/**
 * The oldest schema that can say this change. Authors write it, so that a program of an older version reads all that it
 * could ever know.
 */
export function schemaOf(change: Change): number {
  if (SINCE_SCHEMA_5.has(change.kind)) return 5
  if (change.kind === 'certificate.set' && change.directory !== undefined) return 5
  if (change.kind === 'certificate.account' && change.authorities !== undefined) return 5
  if (SINCE_SCHEMA_4.has(change.kind)) return 4
  if (change.kind === 'node.join' && change.mesh !== undefined) return 4
  if (change.kind === 'node.update' && change.set?.mesh !== undefined) return 4
  if (change.kind === 'record.set' && change.geo !== undefined) return 3
  if (SINCE_SCHEMA_2.has(change.kind)) return 2
  if (change.kind === 'release.publish' && (change.functions ?? change.transforms) !== undefined) return 2
  if (change.kind === 'node.join' && change.schema !== undefined) return 2
  if (change.kind === 'node.update' && change.set?.schema !== undefined) return 2
  return 1
}
