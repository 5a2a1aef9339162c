import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { MakiError, silentLog } from '../../core/index.ts'
import { type LevelStore, type OperationStore, openLevelStore } from '../../replication/index.ts'
import { asStoreError } from '../../replication/store-errors.ts'
import { cluster, createChain } from './chain.ts'
import { FakeRuntime } from './fake-runtime.ts'
import { testStore } from './store-conformance.ts'

const runtime = new FakeRuntime(1)
const open = (directory: string, create?: boolean): Promise<LevelStore> =>
  openLevelStore({
    directory,
    cluster: cluster.id,
    runtime,
    log: silentLog,
    ...(create === undefined ? {} : { create }),
  })

let folders = 0
testStore('level', async (t): Promise<OperationStore> => open(join(t.testdir({}), String(folders++))))

t.test('what was appended is there after reopening, under the same name', async (t) => {
  const directory = t.testdir({})
  const chain = createChain(50)
  const first = await open(directory)
  await first.append(chain.slice(0, 20))
  await first.append(chain.slice(20))
  await first.close()
  await using again = await open(directory, false)
  t.equal(again.id, first.id)
  t.equal(again.damaged, undefined)
  t.same(
    (await again.list(0, 100)).map(({ id }) => id),
    chain.map(({ id }) => id),
  )
})

t.test('with create: false, nothing is made where nothing is', async (t) => {
  const directory = t.testdir({})
  await t.rejects(open(join(directory, 'absent'), false), { code: 'MAKI_NOT_FOUND' })
  await mkdir(join(directory, 'empty'))
  await t.rejects(open(join(directory, 'empty'), false), { code: 'MAKI_NOT_FOUND' })
})

t.test('a second opener is told who holds the store', async (t) => {
  const directory = t.testdir({})
  await using store = await open(directory)
  await t.rejects(open(directory), {
    code: 'MAKI_LOCKED',
    message: new RegExp(`process ${process.pid} \\(level-store.test.ts`),
  })
  t.equal(store.count, 0)
})

t.test('failures of Level become errors for people', async (t) => {
  const full = asStoreError(new Error('IO error: /x/000003.log: No space left on device'), 'append')
  t.equal(full.code, 'MAKI_DISK_FULL')
  t.equal(asStoreError(new Error('IO error: /x/LOCK: Permission denied'), 'open it').code, 'MAKI_STORE_FAILED')
  const own = new MakiError('MAKI_LOCKED', 'x')
  t.equal(asStoreError(own, 'open it'), own)
})
