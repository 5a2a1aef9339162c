import type { Upcaster } from './raise.ts'

/** Schema 4 only added: kinds of changes, and a member of nodes that may be absent. */
export const raiseSchema3: Upcaster = (changes) => changes
