import { buildRaise, type Upcaster } from './raise.ts'
import { raiseSchema1 } from './schema-1.ts'

export { buildRaise, type Upcaster } from './raise.ts'

/**
 * One upcaster for each schema before the present one, in a file of its own, tested on golden operations. Stored
 * operations are never rewritten: they are raised each time they are read.
 */
export const UPCASTERS: readonly Upcaster[] = [raiseSchema1]

/** Reads changes of every earlier schema as if they had been written today. */
export const raiseChanges = buildRaise(UPCASTERS)
