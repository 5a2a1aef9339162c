export { type Located, type Locator, nowhere } from './locator.ts'
export { type Readiness, TIERS } from './readiness.ts'
export { type Candidate, type Choice, type PassedOver, Steering } from './steering.ts'
