import t from 'tap'
import { FloodBudget } from '../../../edge/server/flood-budget.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const KIB = 1024

/** Adds up what a connection does, second by second. */
class Connection {
  readonly #budget = new FloodBudget(0)
  readonly #total = { bytesRead: 0, bytesWritten: 0, requests: 0, contentBytes: 0, answered: 0, dropped: 0 }
  #nowMs = 0

  /** True where it went too far. */
  does(part: Partial<Connection['total']>, ms = 1000): boolean {
    this.#nowMs += ms
    for (const key of Object.keys(part) as (keyof Connection['total'])[]) this.#total[key] += part[key] ?? 0
    return this.#budget.exceeds({ ...this.#total }, this.#nowMs)
  }

  get total() {
    return this.#total
  }
}

for (const seed of seeds(100)) {
  t.test(`seed ${seed}: no browser is a flood, and every flood is one soon`, async (t) => {
    const random = createRandom(seed)
    const browser = new Connection()
    for (let second = 0; second < 300; second++) {
      const requests = random.chance(0.3) ? random.integer(100) : 0
      // It leaves a page at times, with all that it had asked for.
      const dropped = second % 20 === 0 ? Math.floor(requests / 2) : 0
      const bytesWritten = requests * random.integer(200 * KIB)
      const bytesRead = requests * (60 + random.integer(2000)) + 26 * Math.floor(bytesWritten / (16 * KIB)) + 17
      t.notOk(
        browser.does({ requests, dropped, answered: requests - dropped, bytesWritten, bytesRead }),
        `second ${second}`,
      )
    }
    const frameBytes = 9 + random.integer(100)
    const framesPerS = 3000 + random.integer(100_000)
    const flood = new Connection()
    let seconds = 0
    while (!flood.does({ bytesRead: frameBytes * framesPerS }) && seconds < 100) seconds++
    t.ok(seconds * frameBytes * framesPerS <= 256 * KIB + seconds * 16 * KIB, 'what is free is bounded')
    t.ok(seconds < 100, 'control frames')
    const resets = new Connection()
    let dropped = 0
    const rate = 10 + random.integer(1000)
    while (!resets.does({ requests: rate, dropped: rate, bytesRead: rate * 60 }) && dropped < 10_000) dropped += rate
    t.ok(dropped < 2000, `rapid reset of ${rate} a second ends after ${dropped}`)
  })
}

t.test('what was earned is not saved for ever', async (t) => {
  const connection = new Connection()
  for (let i = 0; i < 100; i++)
    connection.does({ requests: 1000, answered: 1000, bytesRead: 60_000, bytesWritten: 1e9 })
  t.ok(connection.does({ dropped: 1000, requests: 1000, bytesRead: 1000 }))
})
