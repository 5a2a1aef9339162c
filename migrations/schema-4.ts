import type { Upcaster } from './raise.ts'

/** Schema 5 only added: kinds of changes, and members that may be absent. */
export const raiseSchema4: Upcaster = (changes) => changes
