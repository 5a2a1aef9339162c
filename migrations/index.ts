import { buildRaise, type Upcaster } from './raise.ts'
import { raiseSchema1 } from './schema-1.ts'
import { raiseSchema2 } from './schema-2.ts'
import { raiseSchema3 } from './schema-3.ts'
import { raiseSchema4 } from './schema-4.ts'

export { buildRaise, type Upcaster } from './raise.ts'

/**
 * One upcaster for each schema before the present one, in a file of its own, tested on golden operations. Stored
 * operations are never rewritten: they are raised each time they are read.
 */
export const UPCASTERS: readonly Upcaster[] = [raiseSchema1, raiseSchema2, raiseSchema3, raiseSchema4]

/** Reads changes of every earlier schema as if they had been written today. */
export const raiseChanges = buildRaise(UPCASTERS)
