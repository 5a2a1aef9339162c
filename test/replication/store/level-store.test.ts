import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { IdTable, MakiError, silentLog } from '../../../core/index.ts'
import { type LevelStore, type OperationStore, openLevelStore } from '../../../replication/index.ts'
import { IdSum } from '../../../replication/store/id-sum.ts'
import { asStoreError } from '../../../replication/store/store-errors.ts'
import type { Database } from '../../../replication/store/store-salvage.ts'
import { SealFile } from '../../../replication/store/store-seal.ts'
import { StoreWriter } from '../../../replication/store/store-writer.ts'
import { cluster, createChain } from '../chain.ts'
import { FakeRuntime } from '../fake-runtime.ts'
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

t.test('after one failed write nothing is written, even when the disk has room again', async (t) => {
  let fails = true
  let batches = 0
  const database = {
    async batch() {
      batches++
      if (fails) throw new Error('IO error: No space left on device')
    },
  } as unknown as Database
  const { file: sealFile } = SealFile.open(join(t.testdir({}), 'integrity'))
  t.teardown(() => sealFile.close())
  const index = new IdTable()
  const writer = new StoreWriter({ database, storeId: 'x', index, sum: new IdSum(), sealFile, log: silentLog })
  const chain = createChain(3)
  const together = [writer.append(chain.slice(0, 1)), writer.append(chain.slice(1, 2))]
  for (const call of together) await t.rejects(call, { code: 'MAKI_DISK_FULL' })
  fails = false
  await t.rejects(writer.append(chain.slice(2)), { code: 'MAKI_DISK_FULL' })
  t.equal(batches, 1)
  t.equal(index.size, 0)
})
