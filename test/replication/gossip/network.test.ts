import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { tcpNetwork } from '../../../replication/gossip/tcp-network.ts'
import { Disk } from '../../sim/world/disk.ts'
import { VirtualNetwork } from '../../sim/world/network.ts'
import { Clock, ProcessLife } from '../../sim/world/process-life.ts'
import { Scheduler } from '../../sim/world/scheduler.ts'
import { createRandom } from '../../support/seeds.ts'
import { testNetwork } from './network-conformance.ts'

testNetwork(t, 'TCP', () => ({
  network: tcpNetwork,
  host: '127.0.0.1',
  until: async (isTrue) => {
    while (!isTrue()) await nextTurn()
  },
}))

testNetwork(t, 'the simulated network', (seed) => {
  const random = createRandom(seed)
  const scheduler = new Scheduler(seed)
  const network = new VirtualNetwork(scheduler, random)
  Object.assign(network.faults, { loss: 0.1, jitterMs: 50 })
  const life = new ProcessLife(`network-${seed}`, new Disk(random), new Clock(), scheduler, random)
  return {
    network: network.portFor('10.0.0.1', life),
    host: '10.0.0.1',
    until: async (isTrue) => {
      if (!(await scheduler.runUntil(scheduler.nowMs + 600_000, isTrue))) throw new Error('it never came to be')
    },
  }
})
