import { parseArgs } from 'node:util'
import t from 'tap'
import { seeds } from '../support/seeds.ts'
import { PowerCutRounds } from './support/power-cut-rounds.ts'
import { Scene } from './support/scene.ts'

/**
 * Promise 1 of DESIGN.md, section 12: an acknowledged operation survives `kill -9` and power loss at any moment, and
 * reaches every node. `npm run kill-loop -- --rounds 1000` runs the long way, `--seed N` replays.
 */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const { values } = parseArgs({ options: { rounds: { type: 'string' }, seed: { type: 'string' } }, strict: false })
const rounds = Number(values.rounds ?? process.env.ROUNDS ?? 25)
const only = values.seed === undefined ? seeds(1) : [Number(values.seed)]
/** A round has to be lost within so many, when something is deliberately wrong. */
const FAULTY_ROUNDS = 5

for (const seed of only) {
  t.test(`${rounds} power cuts, all acknowledged is kept (SEED=${seed})`, async (t) => {
    await using scene = await Scene.open()
    await using run = await PowerCutRounds.start(scene, { seed })
    for (let round = 1; round <= rounds && run.lost.length === 0; round++) {
      await run.round()
      if (round % 50 === 0) t.comment(`${round} rounds, ${run.acknowledged} operations, ${run.releases} releases`)
    }
    if (run.lost.length === 0) await run.finish()
    t.strictSame(run.lost.slice(0, 10), [])
    t.ok(
      run.acknowledged >= rounds,
      `${run.acknowledged} operations were acknowledged, ${run.releases} of them releases`,
    )
  })
}

for (const fault of ['files', 'folders'] as const) {
  t.test(`without the fsync of ${fault} the same rounds find a loss`, async (t) => {
    await using scene = await Scene.open()
    await using run = await PowerCutRounds.start(scene, { seed: 1, nodes: 1, ignore: [fault] })
    let round = 0
    while (run.lost.length === 0 && round++ < FAULTY_ROUNDS) await run.round(false)
    t.match(run.lost[0], /^node1/, `found in round ${round}`)
  })
}
