import { cp, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openLevelStore, repairAside } from '../../../replication/index.ts'
import { cluster } from '../chain.ts'
import { FakeRuntime, recordLog } from '../fake-runtime.ts'

/** A store in which one flipped bit makes Level's repair fail an assertion of its C++; of another cluster. */
const FIXTURE = join(import.meta.dirname, 'repair-aborts')

t.test('damage on which the repair ends its process does not end ours', async (t) => {
  const directory = t.testdir()
  await cp(FIXTURE, join(directory, 'operations'), { recursive: true })
  const log = recordLog()
  const runtime = new FakeRuntime(1)
  await using store = await openLevelStore({
    directory,
    cluster: cluster.id,
    runtime,
    log,
    create: false,
    repair: repairAside,
  })
  t.match(store.damaged, { readable: 0 })
  t.ok(
    log.events.some(([event]) => event === 'store.repair.failed'),
    'it is told',
  )
  t.ok((await readdir(directory)).some((name) => name.startsWith('operations.damaged-')))
})
