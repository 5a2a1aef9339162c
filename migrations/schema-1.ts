import type { Upcaster } from './raise.ts'

/** Schema 2 only added: kinds of changes, and members that may be absent. What schema 1 said it says in the same words. */
export const raiseSchema1: Upcaster = (changes) => changes
