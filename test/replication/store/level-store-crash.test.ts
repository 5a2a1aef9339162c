import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { silentLog } from '../../../core/index.ts'
import { openLevelStore } from '../../../replication/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { cluster } from '../chain.ts'
import { FakeRuntime } from '../fake-runtime.ts'

const runtime = new FakeRuntime(1)
const CHILD = join(import.meta.dirname, '..', 'store-child.ts')
const open = (directory: string, create: boolean) =>
  openLevelStore({ directory, cluster: cluster.id, runtime, log: silentLog, create })

for (const seed of seeds(4)) {
  t.test(`what was acknowledged survives kill -9 at any moment (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const directory = t.testdir({})
    const acknowledged = new Set<string>()
    for (let round = 0; round < 2; round++) {
      const child = fork(CHILD, [directory, String(round * 1000)], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
      t.teardown(() => child.kill('SIGKILL'))
      let left = 1 + random.integer(60)
      const lines = createInterface({ input: child.stdout! })
      lines.on('line', (line) => {
        acknowledged.add(line)
        if (--left === 0) child.kill('SIGKILL')
      })
      await Promise.all([once(child, 'exit'), once(lines, 'close')])
      await using store = await open(directory, false)
      t.equal(store.damaged, undefined, 'a kill is no damage')
      const kept = new Set((await store.list(0, 10_000)).map(({ id }) => id as string))
      t.same(
        [...acknowledged].filter((id) => !kept.has(id)),
        [],
      )
      t.ok(acknowledged.size > 0)
    }
  })
}

t.test('a store that refused one write refuses all later ones, and keeps what it acknowledged', async (t) => {
  const directory = t.testdir({})
  // The limit on file size stands in for a full disk; ignoring its signal turns it into a failed write.
  const script = `trap '' XFSZ; ulimit -f 40; exec "$0" "$1" "$2" until-full`
  const child = spawn('bash', ['-c', script, process.execPath, CHILD, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  await once(child, 'close')
  t.same(lines.slice(-3), ['refused MAKI_DISK_FULL', 'refused MAKI_DISK_FULL', 'closed'])
  const acknowledged = lines.slice(0, -3)
  t.ok(acknowledged.length > 5)
  await using store = await open(directory, false)
  t.equal(store.damaged, undefined)
  t.ok(store.count >= acknowledged.length)
  for (const id of acknowledged) t.ok((await store.read(id as never)) !== undefined)
})
