import { MakiError } from '../errors.ts'
import { type Change, SCHEMA, schemaOf } from '../operation/index.ts'
import type { State } from './state.ts'
import { listNodes } from './views.ts'

/** The newest schema that every node of the cluster reads: what an author may write. Without nodes, the newest there is. */
export function announcedSchema(state: State): number {
  return listNodes(state).reduce((schema, node) => Math.min(schema, node.schema), SCHEMA)
}

/**
 * Throws MAKI_UNSUPPORTED for changes that some node could not read; it would serve as if they had not been made. That a
 * node says what it reads is always allowed: a program that does not read that does not need it.
 */
export function requireAnnounced(state: State, changes: readonly Change[]): void {
  const allowed = announcedSchema(state)
  const early = changes.find((change) => schemaOf(change) > allowed && !isAnnouncement(change))
  if (early === undefined) return
  const names = listNodes(state)
    .filter(({ schema }) => schema < schemaOf(early))
    .map(({ name }) => name)
  throw new MakiError(
    'MAKI_UNSUPPORTED',
    `${names.join(', ')} would not understand ${early.kind}: older versions run there`,
    { hint: `Upgrade first: maki machine upgrade ${names.join(' ')}` },
  )
}

function isAnnouncement(change: Change): boolean {
  return change.kind === 'node.update' && Object.keys(change.set).every((field) => field === 'schema')
}
