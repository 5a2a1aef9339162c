import { mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { type HashOptions, type HashResult, hashFiles } from '../../../cli/project/hash-files.ts'
import { scanSite } from '../../../cli/project/scan.ts'
import { type FoundFile, walkSite } from '../../../cli/project/walk.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { hashBlob } from '../../../core/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const MEBIBYTE = 1024 * 1024

async function makeFiles(t: Test, sizes: readonly number[]): Promise<readonly FoundFile[]> {
  const root = join(t.testdir({}), 'site')
  for (const [i, size] of sizes.entries()) {
    const path = join(root, `d${i % 7}`, `f${i}`)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, Buffer.alloc(size, `${i} of ${size};`))
  }
  return walkSite(root).files
}

async function hashAll(files: readonly FoundFile[], options: Partial<HashOptions>): Promise<Map<string, HashResult>> {
  const results = new Map<string, HashResult>()
  let twice = 0
  await hashFiles(files, {
    runtime: systemRuntime,
    onPause: () => {},
    onHashed: ({ path }, result, readAtNs) => {
      if (results.has(path)) twice++
      if (readAtNs > BigInt(Date.now()) * 1_000_000n) throw new Error('it was not read in the future')
      results.set(path, result)
    },
    ...options,
  })
  if (twice > 0) throw new Error(`${twice} files were told of twice`)
  return results
}

for (const seed of seeds(3)) {
  t.test(`two threads find what one finds, and each file once (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const size = () => (random.integer(8) === 0 ? MEBIBYTE + random.integer(3 * MEBIBYTE) : random.integer(20_000))
    const files = await makeFiles(t, Array.from({ length: 150 }, size))
    const one = await hashAll(files, { asideBytes: Number.POSITIVE_INFINITY })
    const two = await hashAll(files, { asideBytes: 0 })
    t.equal(one.size, 150)
    t.strictSame(new Map([...two].sort()), new Map([...one].sort()))
    for (const { path, source } of files.slice(0, 5))
      t.match(two.get(path), { hash: hashBlob(await readFile(source)) }, path)
  })
}

t.test('a second thread that cannot start, dies or takes files and says nothing costs only time', async (t) => {
  const files = await makeFiles(t, [1, 2, 3, 4, 5, 6, 7, 8])
  const whole = await hashAll(files, { asideBytes: Number.POSITIVE_INFINITY })
  const folder = dirname(dirname(dirname(files[0]?.source ?? '')))
  const programs = {
    'throws.mjs': 'throw new Error("deliberate")',
    'silent.mjs':
      'import { workerData } from "node:worker_threads"\nAtomics.add(workerData.taken, 0, workerData.files.length)',
    'exits.mjs':
      'import { workerData } from "node:worker_threads"\nAtomics.add(workerData.taken, 0, 3)\nprocess.exit(1)',
  }
  for (const [name, text] of Object.entries(programs)) await writeFile(join(folder, name), text)
  for (const name of ['throws.mjs', 'silent.mjs', 'exits.mjs', 'absent.mjs']) {
    const found = await hashAll(files, { asideBytes: 0, asideProgram: pathToFileURL(join(folder, name)) })
    t.strictSame(new Map([...found].sort()), new Map([...whole].sort()), name)
  }
})

t.test('a file that is gone, or another one, ends the look at all; a folder in its place is a change', async (t) => {
  for (const asideBytes of [0, Number.POSITIVE_INFINITY]) {
    const files = await makeFiles(t, [10, 20, 30, 40])
    const [first, , , last] = files as [FoundFile, FoundFile, FoundFile, FoundFile]
    for (const { source } of [first, last]) await rm(source)
    const gone = [...(await hashAll(files, { asideBytes })).values()]
    t.strictSame(
      gone.filter((result) => result !== 'changed' && 'code' in result),
      [{ code: 'ENOENT' }],
    )
    for (const { source } of [first, last]) await mkdir(source)
    const folder = [...(await hashAll(files, { asideBytes })).values()]
    t.strictSame(
      folder.filter((result) => result === 'changed'),
      ['changed'],
    )
  }
})

t.test('a scan on two threads publishes what one on one does, and remembers it', async (t) => {
  const files = await makeFiles(
    t,
    Array.from({ length: 60 }, (_, i) => i * 1000),
  )
  const root = dirname(dirname(files[0]?.source ?? ''))
  const cacheFile = join(dirname(root), 'cache')
  const progress: number[] = []
  const options = {
    runtime: systemRuntime,
    onProgress: ({ filesDone }: { filesDone: number }) => void progress.push(filesDone),
  }
  const two = await scanSite('example.com', root, { ...options, asideBytes: 0, cacheFile })
  t.strictSame(two, await scanSite('example.com', root, { ...options, asideBytes: Number.POSITIVE_INFINITY }))
  t.equal(progress.at(-1), 60)
  await truncate(files[3]?.source ?? '', 1)
  const after = await scanSite('example.com', root, { ...options, asideBytes: 0, cacheFile })
  t.equal(after.files.filter((file, i) => file.hash !== two.files[i]?.hash).length, 1)
})
