import { existsSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeNodeFolders } from '../../../cli/node/node-folders.ts'
import { openNodeStore, recoverStore } from '../../../cli/node/node-store.ts'
import { cluster, createChain } from '../../replication/chain.ts'
import { FakeRuntime, recordLog } from '../../replication/fake-runtime.ts'

const chain = createChain(20)

async function setUp(directory: string) {
  const folders = await makeNodeFolders(directory)
  const log = recordLog()
  const runtime = new FakeRuntime(1)
  const open = () => openNodeStore({ folders, cluster: cluster.id, runtime, log })
  const words = () => log.events.splice(0).map(([event]) => event)
  return { folders, log, open, words }
}

t.test('a new node has lost nothing; one whose store is gone has, until it was compared', async (t) => {
  const { folders, log, open, words } = await setUp(t.testdir())
  {
    await using store = await open()
    t.equal(store.damaged, undefined)
    await store.append(chain)
  }
  t.strictSame(words(), [])
  rmSync(folders.operations, { recursive: true })
  {
    await using store = await open()
    t.strictSame(store.damaged, { readable: 0, lost: 0, gone: true })
    await store.append(chain.slice(0, 2))
    t.match(log.events.at(-1), ['store.incomplete', { gone: true, hint: new RegExp(`touch ${folders.acceptLoss}`) }])
    t.strictSame(words(), ['store.damaged', 'store.incomplete'])
  }
  await using again = await open()
  t.match(again.damaged, { gone: true }, 'also after another start')
  t.equal(again.count, 2)
  let recovered = 0
  await recoverStore(again, log, () => recovered++)
  await recoverStore(again, log, () => recovered++)
  t.strictSame([again.damaged, recovered], [undefined, 1])
  t.strictSame(words(), ['store.incomplete', 'store.recovered'])
})

t.test('the mark may hold anything, and comes back where it is gone', async (t) => {
  const { folders, open } = await setUp(t.testdir())
  await (await open()).close()
  for (const hurt of [() => truncateSync(folders.stored), () => rmSync(folders.stored)]) {
    hurt()
    await using store = await open()
    t.equal(store.damaged, undefined)
    t.ok(existsSync(folders.stored))
  }
  truncateSync(folders.stored)
  rmSync(folders.operations, { recursive: true })
  await using store = await open()
  t.match(store.damaged, { gone: true })
})

t.test('an owner can go on without what was lost: once', async (t) => {
  const { folders, open, words } = await setUp(t.testdir())
  {
    await using store = await open()
    await store.append(chain)
  }
  writeFileSync(folders.acceptLoss, '')
  await (await open()).close()
  t.strictSame(words(), ['store.nothing-lost'], 'nothing is accepted ahead of time')
  t.notOk(existsSync(folders.acceptLoss))
  for (const part of [folders.operations, join(folders.operations, 'operations')]) {
    rmSync(part, { recursive: true })
    const store = await open()
    t.not(store.damaged, undefined)
    await store.append(chain)
    await store.close()
    t.ok(words().includes('store.incomplete'))
    writeFileSync(folders.acceptLoss, '')
    await using accepted = await open()
    t.equal(accepted.damaged, undefined)
    t.equal(accepted.count, chain.length)
    t.strictSame(words(), ['store.loss-accepted'])
    t.notOk(existsSync(folders.acceptLoss))
  }
})
