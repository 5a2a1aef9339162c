import t from 'tap'
import { HealthMonitor, type HealthMonitorOptions } from '../../../core/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { Simulation, TROUBLES } from './laws.ts'

const make = (options: HealthMonitorOptions) => new HealthMonitor(options)

for (const [size, count] of [
  [1, 2],
  [2, 10],
  [3, 10],
  [4, 8],
  [5, 8],
  [9, 2],
  [15, 1],
] as const) {
  for (const seed of seeds(count)) {
    t.test(`${size} nodes, seed ${seed}`, async (t) => {
      const random = createRandom(seed * 1000 + size)
      const troubles = random.shuffle(TROUBLES).slice(0, 4)
      t.same(new Simulation({ seed, size, troubles, make }).run(), [], troubles.join(' '))
    })
  }
}
