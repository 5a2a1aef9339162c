import { runSeedTest } from './seed-test.ts'

/** With the rest of `test/sim` about three minutes on two cores; more of them: `npm run simulate -- --seeds 10000`. */
await runSeedTest(1, 30)
