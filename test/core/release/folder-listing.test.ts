import t from 'tap'
import { hashBlob, Manifest } from '../../../core/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

const hash = hashBlob(Uint8Array.of(1))
const manifestOf = (paths: Iterable<string>) =>
  Manifest.of([...new Set(paths)].map((path) => ({ path, hash, sizeBytes: 1 })))
const NAMES = ['a', 'a.txt', 'a0', 'a-', 'b', 'é', '_headers', 'Ω🦊', '0', '!']

function randomPath(random: Random): string {
  return Array.from({ length: 1 + random.integer(4) }, () => random.pick(NAMES)).join('/')
}

/** By looking at every path. */
function listByLooking(paths: readonly string[], folder: string): Map<string, 'file' | 'folder'> {
  const prefix = folder === '' ? '' : `${folder}/`
  const found = new Map<string, 'file' | 'folder'>()
  for (const path of paths) {
    if (!path.startsWith(prefix)) continue
    const [name = '', ...rest] = path.slice(prefix.length).split('/')
    if (rest.length === 0) found.set(name, 'file')
    else if (!found.has(name)) found.set(name, 'folder')
  }
  return found
}

for (const seed of seeds(100)) {
  t.test(`a folder holds what a look at every path finds, by pages of any size (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const paths = [...new Set(Array.from({ length: random.integer(80) }, () => randomPath(random)))]
    const manifest = manifestOf(paths)
    const folders = ['', ...paths, ...paths.map((path) => path.split('/').slice(0, -1).join('/')), randomPath(random)]
    for (const folder of folders) {
      const expected = listByLooking(paths, folder)
      t.equal(manifest.hasFolder(folder), folder === '' || expected.size > 0, folder)
      const most = 1 + random.integer(5)
      const pages: (readonly [string, 'file' | 'folder'])[] = []
      for (let after: string | undefined; ; after = pages.at(-1)?.[0]) {
        const { entries, more } = manifest.list(folder, after, most)
        t.ok(entries.length <= most)
        t.ok(!more || entries.length === most, 'a page before the last is full')
        pages.push(...entries)
        if (!more) break
      }
      t.equal(pages.length, expected.size, 'each name stands once')
      t.strictSame(new Map(pages), expected, folder)
    }
  })
}

t.test('what is below a folder costs nothing', async (t) => {
  const paths = Array.from({ length: 100_000 }, (_, i) => `deep/${i % 100}/${i}`)
  const manifest = manifestOf([...paths, 'z'])
  t.strictSame(manifest.list('', undefined, 10), {
    entries: [
      ['deep', 'folder'],
      ['z', 'file'],
    ],
    more: false,
  })
  t.strictSame(manifest.list('', 'deep', 10), { entries: [['z', 'file']], more: false })
  t.equal(manifest.list('deep', undefined, 1000).entries.length, 100)
  t.strictSame(manifest.list('nowhere', undefined, 10), { entries: [], more: false })
  t.strictSame(manifest.list('z', undefined, 10), { entries: [], more: false })
})
