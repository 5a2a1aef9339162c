import { runSeedTest } from './seed-test.ts'

/** The other half of `seeds.test.ts`, for the second core. */
await runSeedTest(31, 60)
