import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { hashBlob, silentLog } from '../../../core/index.ts'
import { decodeOutcome, encodeOutcome } from '../../../edge/transforms/outcome-file.ts'
import { TransformFolder } from '../../../edge/transforms/transform-folder.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { anyHash, MIB } from './fakes.ts'

/** Results on the disk, through crashes and damage. */

const KEY = 'ab'.repeat(32)
const bytes = Buffer.from('a result')
const done = {
  kind: 'done',
  result: { hash: hashBlob(bytes), sizeBytes: bytes.length, mimeType: 'text/x', headers: [['a', 'b'] as const] },
} as const

const openIn = (directory: string): TransformFolder =>
  new TransformFolder({ directory, maxBytes: MIB, writers: 1 }, { runtime: systemRuntime, log: silentLog })

async function fill(t: Test): Promise<string> {
  const directory = join(t.testdir({}), 'transformed')
  const folder = openIn(directory)
  await folder.open()
  t.ok(await folder.keep(KEY, done, bytes))
  return directory
}

const listFiles = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))

t.test('what is kept is found, and is a file of its hash', async (t) => {
  const directory = await fill(t)
  const folder = openIn(directory)
  t.strictSame(await folder.find(KEY), done)
  t.ok(readFileSync(folder.path(done.result.hash)).equals(bytes))
  t.equal(await folder.find(anyHash('c')), undefined)
  t.ok(await folder.keep(anyHash('c'), { kind: 'original' }))
  t.strictSame(await folder.find(anyHash('c')), { kind: 'original' })
  for (const name of ['../x', '', 'AB'.repeat(32), `${KEY}/`]) {
    t.throws(() => folder.path(name as never), RangeError)
    await t.rejects(folder.find(name), RangeError)
  }
})

t.test('a crash at any step leaves a result or none', async (t) => {
  const directory = await fill(t)
  // What lies there after each write and rename: the bytes under another name, the bytes, the outcome under another name.
  const incoming = join(directory, 'incoming')
  const [result, outcome] = ['results', 'outcomes'].map((kind) => listFiles(join(directory, kind))[0] as string)
  const whole = readFileSync(outcome as string)
  for (const [i, crash] of [
    () => rmSync(result as string),
    () => rmSync(outcome as string),
    () => truncateSync(result as string, 3),
    () => truncateSync(outcome as string, 80),
    () => truncateSync(outcome as string, 0),
    () => writeFileSync(result as string, 'a resulT'),
    () => writeFileSync(outcome as string, whole.toString().replace('text/x', 'text/y')),
  ].entries()) {
    const copy = `${directory}-${i}`
    cpSync(directory, copy, { recursive: true })
    crash()
    writeFileSync(join(incoming, '999999999-1'), 'half')
    const folder = openIn(directory)
    await folder.open()
    t.equal(await folder.find(KEY), undefined, `${i}`)
    t.strictSame(readdirSync(incoming), [], 'what was half done is swept')
    t.ok(await folder.keep(KEY, done, bytes))
    t.strictSame(await folder.find(KEY), done, 'and made again')
    rmSync(directory, { recursive: true })
    cpSync(copy, directory, { recursive: true })
    rmSync(copy, { recursive: true })
  }
})

for (const seed of seeds(10)) {
  t.test(`one flipped bit is never served (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const directory = await fill(t)
    const files = listFiles(directory)
    for (let i = 0; i < 20; i++) {
      const file = random.pick(files)
      const before = readFileSync(file)
      const damaged = Buffer.from(before)
      damaged[random.integer(damaged.length)]! ^= 1 << random.integer(8)
      writeFileSync(file, damaged)
      t.equal(await openIn(directory).find(KEY), undefined)
      await openIn(directory).keep(KEY, done, bytes)
    }
  })
}

t.test('the outcome of one job is not that of another', async (t) => {
  const encoded = encodeOutcome(KEY, done)
  t.strictSame(decodeOutcome(KEY, encoded), done)
  t.equal(decodeOutcome(anyHash('d'), encoded), undefined)
  t.equal(decodeOutcome(KEY, undefined), undefined)
  t.equal(decodeOutcome(KEY, Buffer.from('MKT1')), undefined)
})

t.test('a disk that fails costs no answer', async (t) => {
  const directory = t.testdir({ transformed: 'a file' })
  const folder = openIn(join(directory, 'transformed'))
  await folder.open()
  t.notOk(await folder.keep(KEY, done, bytes))
  t.equal(await folder.find(KEY), undefined)
  await folder.remove(done.result.hash)
  folder.note(KEY, done)
})
