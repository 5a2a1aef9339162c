import type { Upcaster } from './raise.ts'

/** Schema 3 only added: a member of `record.set` that may be absent. */
export const raiseSchema2: Upcaster = (changes) => changes
