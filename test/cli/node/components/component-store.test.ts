import fs from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import { ComponentStore } from '../../../../cli/node/components/component-store.ts'
import type { BlobHash } from '../../../../core/index.ts'
import { readPreparedFiles } from '../../../../edge/index.ts'
import { createRandom, seeds } from '../../../support/seeds.ts'
import { filesOf, hashOf, REPORT } from './made-components.ts'

const KEY = 'abcdef012345'
const A = hashOf('a')
const B = hashOf('b')

const openStore = (directory: string, buildKey = KEY) => ComponentStore.open({ directory, buildKey })

/** What a reader gets of a component; undefined for nothing. */
async function readGlue(store: ComponentStore, component: BlobHash): Promise<string | undefined> {
  const prepared = await store.find(component)
  if (prepared === undefined) return undefined
  return (await readPreparedFiles(prepared.folder, component))?.glue.toString().trim()
}

t.test('what was kept is there after a start, with every byte', async (t) => {
  const directory = join(t.testdir(), 'components')
  const store = await openStore(directory)
  const prepared = await store.keep(A, REPORT, filesOf('a'))
  t.strictSame(prepared, {
    component: A,
    world: 'http',
    folder: join(directory, `${A}-${KEY}`),
    modules: ['glue.core.wasm', 'glue.core2.wasm'],
  })
  const again = await openStore(directory)
  t.strictSame(await again.find(A), prepared)
  t.equal(again.totalBytes, store.totalBytes)
  const read = await readPreparedFiles(prepared.folder, A)
  t.strictSame(read && { glue: read.glue, modules: read.modules }, filesOf('a'))
  t.strictSame(read?.meta.report, REPORT)
  t.equal(await readPreparedFiles(prepared.folder, B), undefined, 'it is of this component alone')
  t.equal(await again.find(B), undefined)
})

t.test('keeping it again replaces it, and forgetting leaves nothing', async (t) => {
  const directory = t.testdir()
  const store = await openStore(directory)
  await store.keep(A, REPORT, filesOf('a'))
  await store.keep(A, REPORT, filesOf('a, again'))
  t.equal(await readGlue(store, A), '// a, again')
  t.equal(store.count, 1)
  await store.forget(A)
  t.equal(await store.find(A), undefined)
  t.equal(store.totalBytes, 0)
  t.strictSame(await readdir(directory), ['incoming'])
  t.strictSame(await readdir(join(directory, 'incoming')), [])
})

t.test('what another version made is swept, and whatever else lies there', async (t) => {
  const directory = t.testdir({
    'faults.json': '{}',
    stranger: 'x',
    incoming: { 3: { 'glue.js': 'half' } },
    [`${B}-${KEY}`]: { 'glue.js': 'no list' },
    [`${B}-`]: {},
    'a-b-c': {},
  })
  await (await openStore(directory, '000000000000')).keep(A, REPORT, filesOf('a'))
  const store = await openStore(directory)
  t.equal(await store.find(A), undefined)
  t.strictSame((await readdir(directory)).sort(), ['faults.json', 'incoming'])
  t.strictSame(await readdir(join(directory, 'incoming')), [])
})

for (const seed of seeds(60)) {
  t.test(`a disk that alters, cuts or loses a file never gives other code, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const store = await openStore(t.testdir())
    const { folder } = await store.keep(A, REPORT, filesOf('a'))
    await store.keep(B, REPORT, filesOf('b'))
    const path = join(folder, random.pick(await readdir(folder)))
    const bytes = await readFile(path)
    const how = random.pick(['alter', 'cut', 'lose', 'exchange', 'grow'])
    if (how === 'alter') {
      const at = random.integer(bytes.length)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.integer(8))
      await writeFile(path, bytes)
    } else if (how === 'cut') await writeFile(path, bytes.subarray(0, random.integer(bytes.length)))
    else if (how === 'lose') fs.rmSync(path)
    else if (how === 'grow') await writeFile(path, Buffer.concat([bytes, Buffer.from('x')]))
    else await writeFile(path, await readFile(path.replace(A, B)))
    // A worker that reads it at this moment, and control that is asked for it then.
    t.equal(await readPreparedFiles(folder, A), undefined, how)
    t.equal(await store.find(A), undefined, how)
    t.equal(await readGlue(store, B), '// b')
    await store.keep(A, REPORT, filesOf('a'))
    t.equal(await readGlue(store, A), '// a', 'made again')
  })
}

type Act = (...args: unknown[]) => Promise<unknown>

/**
 * Lets the nth call that changes the disk fail, and all after it, as on a disk that is full: of a write, half is done by then.
 * Gives how many calls there were.
 */
async function failAt(nth: number, work: () => Promise<unknown>): Promise<number> {
  const original = { ...fs.promises }
  let calls = 0
  const full = () => Object.assign(new Error('no space left'), { code: 'ENOSPC' })
  const change = (act: Act): Act => {
    return async (...args) => {
      if (++calls > nth) throw full()
      return await act(...args)
    }
  }
  const open: Act = async (...args) => {
    const file = await original.open(...(args as Parameters<typeof original.open>))
    const write = file.writeFile.bind(file)
    const half: Act = async (bytes) => {
      if (++calls <= nth) return await write(bytes as Uint8Array)
      await write((bytes as Uint8Array).subarray(0, (bytes as Uint8Array).length / 2))
      throw full()
    }
    return Object.assign(file, { writeFile: half, sync: change(file.sync.bind(file) as Act) })
  }
  const names = ['mkdir', 'rename', 'rm'] as const
  try {
    for (const name of names) Object.assign(fs.promises, { [name]: change(original[name] as Act) })
    Object.assign(fs.promises, { open: change(open) })
    syncBuiltinESMExports()
    await work().catch(() => {})
  } finally {
    Object.assign(fs.promises, original)
    syncBuiltinESMExports()
  }
  return calls
}

t.test('after a fault at any step there is the whole of it or nothing, and it can be made again', async (t) => {
  let steps = 1
  for (let nth = 0; nth < steps; nth++) {
    const directory = fs.mkdtempSync(join(t.testdirName, '..', 'components-'))
    t.teardown(() => fs.rmSync(directory, { recursive: true, force: true }))
    const before = await openStore(directory)
    await before.keep(B, REPORT, filesOf('b'))
    await before.keep(A, REPORT, filesOf('old a'))
    steps = await failAt(nth, () => before.keep(A, REPORT, filesOf('a')))
    // The same process, which goes on; and the next one.
    const known = await readGlue(before, A)
    t.ok([undefined, '// a', '// old a'].includes(known), `step ${nth}: ${known}`)
    const store = await openStore(directory)
    const found = await readGlue(store, A)
    t.ok([undefined, '// a', '// old a'].includes(found), `step ${nth}: ${found}`)
    t.equal(await readGlue(store, B), '// b')
    t.strictSame(await readdir(join(directory, 'incoming')), [], `step ${nth}: nothing half done stays`)
    await store.keep(A, REPORT, filesOf('a'))
    t.equal(await readGlue(store, A), '// a')
  }
  t.ok(steps > 15, `${steps} steps`)
})

t.test('what cannot be read at the moment is not taken for damaged', async (t) => {
  const store = await openStore(t.testdir())
  await store.keep(A, REPORT, filesOf('a'))
  const { readFile: original } = fs.promises
  fs.promises.readFile = (async () => {
    throw Object.assign(new Error('too many open files'), { code: 'EMFILE' })
  }) as typeof original
  syncBuiltinESMExports()
  try {
    await t.rejects(store.find(A), { code: 'EMFILE' })
  } finally {
    fs.promises.readFile = original
    syncBuiltinESMExports()
  }
  t.equal(await readGlue(store, A), '// a')
})
