export { type Located, type Locator, nowhere } from './locator.ts'
export { type Candidate, type Choice, Steering } from './steering.ts'
