import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Daemon, DaemonCluster } from './support/daemons.ts'
import { ROOT, Scene } from './support/scene.ts'

/** A real daemon over a store on which Level's own repair fails an assertion of its C++, and so ends its process. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const FIXTURE = join(ROOT, 'test', 'replication', 'store', 'repair-aborts')
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())

t.test('the daemon starts, says what was lost, and has it again from the other node', async (t) => {
  await using cluster = await DaemonCluster.make(scene, { nodes: 2 })
  await cluster.start()
  await cluster.agreement()
  const [, victim] = cluster.daemons as [Daemon, Daemon]
  await victim.stop()
  const store = join(victim.layout.dataDirectory, 'operations', 'operations')
  rmSync(store, { recursive: true })
  cpSync(FIXTURE, store, { recursive: true })
  await victim.start()
  await victim.event('store.repair.failed')
  await victim.event('store.damaged')
  await victim.event('store.recovered')
  t.equal((await cluster.agreement()).length, 2, 'both nodes have the same')
})

t.test('nothing is left behind', async (t) => {
  t.strictSame(await scene.leftovers(), [])
})
