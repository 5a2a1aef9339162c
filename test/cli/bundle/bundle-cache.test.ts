import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Bundle } from '../../../cli/bundle/bundle.ts'
import { BundleCache, bundleFolder, type MadeBundle } from '../../../cli/bundle/bundle-cache.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const scratch = mkdtempSync(join(tmpdir(), 'makiatto-bundles-'))
t.teardown(() => rmSync(scratch, { recursive: true, force: true }))
const openCache = (name: string): { cache: BundleCache; folder: string } => {
  const folder = join(scratch, name)
  return { cache: new BundleCache(folder, systemRuntime), folder }
}

function make(folder: string, key: string, text: string): MadeBundle {
  const file = join(folder, 'makiatto-1.2.3-linux-x64.tar.gz')
  writeFileSync(file, text)
  const sha256 = createHash('sha256').update(text).digest('hex')
  const bundle: Bundle = { file, arch: 'x64', version: '1.2.3', sha256, sizeBytes: text.length }
  return { key, bundle }
}

t.test('what was kept is found again, and only under its key and processor', async (t) => {
  const { cache } = openCache('again')
  t.equal(await cache.find('a', 'x64'), undefined, 'nothing where nothing is')
  const kept = await cache.keep('x64', async (folder) => make(folder, 'a', 'one'))
  t.equal(readFileSync(kept.file, 'utf8'), 'one')
  t.strictSame(await cache.find('a', 'x64'), kept)
  t.equal(await cache.find('a', 'arm64'), undefined)
  t.equal(await cache.find('b', 'x64'), undefined)
})

t.test('what has changed on the disk is made again', async (t) => {
  const { cache, folder } = openCache('damaged')
  const keep = () => cache.keep('x64', async (draft) => make(draft, 'a', 'as it was made'))
  const kept = await keep()
  for (const damage of [
    () => truncateSync(kept.file, 3),
    () => writeFileSync(kept.file, 'other'),
    () => rmSync(kept.file),
    () => writeFileSync(join(kept.file, '..', 'made.json'), '{"sha'),
    () =>
      writeFileSync(join(kept.file, '..', 'made.json'), '{"file":"../../x","version":"1","sha256":"","sizeBytes":1}'),
  ]) {
    damage()
    t.equal(await cache.find('a', 'x64'), undefined)
    t.strictSame(await keep(), kept)
    t.equal(readFileSync(kept.file, 'utf8'), 'as it was made')
  }
  t.equal(readdirSync(folder).length, 1)
})

for (const seed of seeds(20)) {
  t.test(
    `whoever makes at the same time, each gets a whole one, and none is taken away from another (seed ${seed})`,
    async (t) => {
      const random = createRandom(seed)
      const { cache, folder } = openCache(`race-${seed}`)
      const turns = Array.from({ length: 5 }, () => random.integer(4))
      const outcomes = await Promise.all(
        turns.map((turn, i) =>
          cache
            .keep('x64', async (draft) => {
              for (let waited = 0; waited < turn; waited++) await new Promise(setImmediate)
              if (random.chance(0.2)) throw new Error(`maker ${i} fails`)
              return make(draft, 'same', 'x'.repeat(1 + random.integer(3)))
            })
            .catch((error: Error) => error.message),
        ),
      )
      const found = await cache.find('same', 'x64')
      for (const outcome of outcomes) {
        if (typeof outcome === 'string') t.match(outcome, /^maker \d fails$/)
        else t.strictSame(outcome, found)
      }
      t.strictSame(readdirSync(folder), found === undefined ? [] : ['same-x64'], 'and no draft stays')
    },
  )
}

t.test('a few others stay, and what killed programs left goes in a day', async (t) => {
  const { cache, folder } = openCache('sweep')
  const old = (name: string, hours: number): void => {
    mkdirSync(join(folder, name), { recursive: true })
    const seconds = systemRuntime.now() / 1000 - hours * 3600
    utimesSync(join(folder, name), seconds, seconds)
  }
  for (const [i, key] of ['a', 'b', 'c', 'd', 'e'].entries()) old(`${key}-x64`, 10 - i)
  old('.dead', 25)
  old('.busy', 1)
  await cache.keep('x64', async (draft) => make(draft, 'f', 'new'))
  t.strictSame(readdirSync(folder).sort(), ['.busy', 'c-x64', 'd-x64', 'e-x64', 'f-x64'])
})

t.test('bundles lie where caches do', async (t) => {
  t.equal(bundleFolder({ XDG_CACHE_HOME: '/c', HOME: '/h' }), '/c/makiatto/bundles')
  t.equal(
    bundleFolder({ XDG_CACHE_HOME: 'c', HOME: '/h' }),
    '/h/.cache/makiatto/bundles',
    'a relative path counts as none',
  )
  t.notOk(existsSync('c'))
})
