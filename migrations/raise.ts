import type { Raise } from '../core/index.ts'

/**
 * Rewrites the changes of one operation from one schema to the next. It sees what authors of the old schema signed,
 * before anything was checked: it passes on what it does not understand, and never throws.
 */
export type Upcaster = (changes: readonly unknown[]) => readonly unknown[]

/** `steps[0]` leads from schema 1 to 2, and so on; the last one to the present. */
export function buildRaise(steps: readonly Upcaster[]): Raise {
  return (schema, changes) => steps.slice(schema - 1).reduce((raised, step) => step(raised), changes)
}
