import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Operation, silentLog } from '../../../core/index.ts'
import { type LevelStore, openLevelStore } from '../../../replication/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { cluster, createChain } from '../chain.ts'
import { FakeRuntime, recordLog } from '../fake-runtime.ts'

const runtime = new FakeRuntime(1)
const chain = createChain(240)

const open = (directory: string, log = silentLog): Promise<LevelStore> =>
  openLevelStore({ directory, cluster: cluster.id, runtime, log, create: false })

/** A closed store with the whole chain, in the write-ahead log or in tables. */
async function fill(directory: string, where: 'log' | 'tables'): Promise<string> {
  const store = await openLevelStore({ directory, cluster: cluster.id, runtime, log: silentLog })
  for (let from = 0; from < chain.length; from += 50) await store.append(chain.slice(from, from + 50))
  const { id } = store
  await store.close()
  // Level turns the log that it finds into a table.
  if (where === 'tables') await (await open(directory)).close()
  return id
}

async function findFile(directory: string, pattern: RegExp): Promise<string> {
  const folder = join(directory, 'operations')
  const names = (await readdir(folder)).filter((name) => pattern.test(name))
  const sizes = await Promise.all(names.map(async (name) => (await readFile(join(folder, name))).length))
  return join(folder, names[sizes.indexOf(Math.max(...sizes))] as string)
}

async function flip(file: string, at: (bytes: Buffer) => number): Promise<void> {
  const bytes = await readFile(file)
  const position = at(bytes)
  bytes[position] = (bytes[position] as number) ^ 0x40
  await writeFile(file, bytes)
}

/** Whatever is kept is as it was, and nothing is lost without a word. */
async function checkRepaired(t: Test, directory: string, before: string): Promise<LevelStore> {
  const log = recordLog()
  const store = await open(directory, log)
  const kept = await store.list(0, 1000)
  const originals = new Map(chain.map((operation): [string, Operation] => [operation.id, operation]))
  for (const { id, bytes } of kept) t.same(bytes, originals.get(id)?.bytes)
  t.same(store.damaged, { readable: kept.length, lost: chain.length - kept.length })
  t.ok(log.events.some(([event, data]) => event === 'store.damaged' && data.readable === kept.length))
  t.not(store.id, before, 'cursors of the damaged store mean nothing in the new one')
  t.ok((await readdir(directory)).some((name) => name.startsWith('operations.damaged-')))
  return store
}

const damages: [name: string, where: 'log' | 'tables', hurt: (directory: string, seed: number) => Promise<unknown>][] =
  [
    [
      'a bit flipped in the log',
      'log',
      async (directory, seed) => {
        const file = await findFile(directory, /\.log$/)
        await flip(file, (bytes) => createRandom(seed).integer(bytes.length))
      },
    ],
    [
      'a bit flipped in a record of a table',
      'tables',
      async (directory, seed) => {
        const file = await findFile(directory, /\.ldb$/)
        const operation = chain[createRandom(seed).integer(chain.length)] as Operation
        await flip(file, (bytes) => bytes.indexOf(operation.bytes) + createRandom(seed).integer(operation.bytes.length))
      },
    ],
    ['CURRENT deleted', 'log', (directory) => rm(join(directory, 'operations', 'CURRENT'))],
    ['CURRENT deleted, with tables', 'tables', (directory) => rm(join(directory, 'operations', 'CURRENT'))],
    ['a table deleted', 'tables', async (directory) => rm(await findFile(directory, /\.ldb$/))],
    [
      'the log cut in the middle',
      'log',
      async (directory, seed) => {
        const file = await findFile(directory, /\.log$/)
        await truncate(file, createRandom(seed).integer((await readFile(file)).length - 500))
      },
    ],
    ['the whole Level folder deleted', 'log', (directory) => rm(join(directory, 'operations'), { recursive: true })],
  ]

for (const [name, where, hurt] of damages) {
  for (const seed of seeds(name.includes('flipped') || name.includes('cut') ? 3 : 1)) {
    t.test(`${name}: noticed, set aside, what is readable kept (SEED=${seed})`, async (t) => {
      const directory = t.testdir({})
      const before = await fill(directory, where)
      await hurt(directory, seed)
      const store = await checkRepaired(t, directory, before)
      const kept = new Set((await store.list(0, 1000)).map(({ id }) => id))
      await store.append(chain.filter(({ id }) => !kept.has(id)))
      await store.close()

      await using again = await open(directory)
      t.equal(again.count, chain.length, 'what was pulled again is kept')
      t.same(again.damaged, store.damaged, 'the damage is remembered over a restart')
      await again.markWhole()
      t.equal(again.damaged, undefined)
      await again.close()
      await using whole = await open(directory)
      t.equal(whole.damaged, undefined)
    })
  }
}

t.test('one record hurt in a table costs that record only', async (t) => {
  const directory = t.testdir({})
  await fill(directory, 'tables')
  const hurt = chain[120] as Operation
  await flip(await findFile(directory, /\.ldb$/), (bytes) => bytes.indexOf(hurt.bytes) + 10)
  await using store = await open(directory)
  t.same(store.damaged, { readable: chain.length - 1, lost: 1 })
  t.equal(await store.read(hurt.id), undefined)
})

t.test('CURRENT deleted loses nothing', async (t) => {
  const directory = t.testdir({})
  await fill(directory, 'tables')
  await rm(join(directory, 'operations', 'CURRENT'))
  await using store = await open(directory)
  t.same(store.damaged, { readable: chain.length, lost: 0 })
})

t.test('without the side file each record answers for itself, and the file is made anew', async (t) => {
  const directory = t.testdir({})
  const id = await fill(directory, 'log')
  await rm(join(directory, 'integrity'))
  const store = await open(directory)
  t.equal(store.id, id)
  t.equal(store.damaged, undefined)
  t.equal(store.count, chain.length)
  await store.close()
  const log = await findFile(directory, /\.(log|ldb)$/)
  await truncate(log, 0)
  await using noticed = await open(directory)
  t.ok(noticed.damaged !== undefined)
})

t.test('one slot of the side file hurt: the other one serves', async (t) => {
  const directory = t.testdir({})
  const id = await fill(directory, 'log')
  for (const offset of [0, 4096]) {
    const original = await readFile(join(directory, 'integrity'))
    await flip(join(directory, 'integrity'), () => offset + 60)
    const store = await open(directory)
    t.equal(store.id, id)
    t.equal(store.damaged, undefined)
    await store.close()
    await writeFile(join(directory, 'integrity'), original)
  }
})

t.test('a side file that is behind the store, as after a power loss, is no damage', async (t) => {
  const directory = t.testdir({})
  const store = await openLevelStore({ directory, cluster: cluster.id, runtime, log: silentLog })
  await store.append(chain.slice(0, 100))
  const behind = await readFile(join(directory, 'integrity'))
  await store.append(chain.slice(100))
  await store.close()
  await writeFile(join(directory, 'integrity'), behind)
  await using again = await open(directory)
  t.equal(again.damaged, undefined)
  t.equal(again.count, chain.length)
})

t.test('a store that is gone as a whole is no new one where a mark says that there was one', async (t) => {
  const folder = t.testdir({})
  const [directory, marker] = [join(folder, 'store'), join(folder, 'mark')]
  const log = recordLog()
  const openMarked = () => openLevelStore({ directory, marker, cluster: cluster.id, runtime, log })
  const store = await openMarked()
  t.equal(store.damaged, undefined, 'the first one is new')
  await store.append(chain)
  await store.close()
  t.match(await readFile(marker, 'utf8'), cluster.id)
  // Also a start that was cut short after it noticed.
  for (const parts of [[directory], [join(directory, 'operations'), join(directory, 'integrity')]]) {
    for (const part of parts) await rm(part, { recursive: true })
    await using again = await openMarked()
    t.same(again.damaged, { readable: 0, lost: 0, gone: true })
    t.equal(again.count, 0)
    t.not(again.id, store.id)
    t.match(log.events.splice(0), [['store.damaged', { gone: true }]])
  }
  await using whole = await openMarked()
  await whole.markWhole()
  t.equal(whole.damaged, undefined)
  t.same(log.events, [])
})
