import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import t from 'tap'
import {
  type BlobHash,
  checkPath,
  encodeCanonical,
  hashBlob,
  Manifest,
  type ManifestFile,
} from '../../../core/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

for (const seed of seeds(30)) {
  t.test(`files come back as they went in, and their order does not matter (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const files = new Map<string, ManifestFile>()
    for (let i = 0; i < random.integer(50); i++) {
      const path = Array.from({ length: 1 + random.integer(3) }, () =>
        random.pick(['a', 'é', 'with space', '"', '\n', 'Ω🦊', 'b.html']),
      ).join('/')
      files.set(path, { path, hash: hashBlob(random.bytes(4)), sizeBytes: random.integer(1e9) })
    }
    const encoded = Manifest.of(files.values()).encode()
    const again = Manifest.of(random.shuffle([...files.values()])).encode()
    t.same(again, encoded)
    t.equal(encoded.hash, hashBlob(encoded.bytes))
    const decoded = Manifest.decode(encoded.bytes)
    t.same(new Map([...decoded.files()].map((file) => [file.path, file])), files)
    for (const file of files.values()) t.same(decoded.find(file.path), file)
    t.equal(decoded.find('nowhere'), undefined)
    t.equal(decoded.find('__proto__'), undefined)
  })
}

t.test('what compression makes of it does not change the tree', async (t) => {
  const encoded = Manifest.of([{ path: 'a', hash: hashBlob(Uint8Array.of(1)), sizeBytes: 1 }]).encode()
  const content = zstdDecompressSync(encoded.bytes)
  t.equal(hashBlob(content), encoded.tree)
})

t.test('hostile manifests are refused', async (t) => {
  const pack = (value: unknown) => zstdCompressSync(encodeCanonical(value))
  const hash = new Uint8Array(32)
  const two = new Uint8Array(64)
  const cases: [string, Uint8Array][] = [
    ['garbage', Uint8Array.of(1, 2, 3)],
    ['no array', pack({})],
    ['another format', pack([2, [], [], new Uint8Array()])],
    ['unsorted', pack([1, ['b', 'a'], [1, 1], two])],
    ['twice', pack([1, ['a', 'a'], [1, 1], two])],
    ['short of hashes', pack([1, ['a'], [1], new Uint8Array(31)])],
    ['a negative size', pack([1, ['a'], [-1], hash])],
    ['parent segment', pack([1, ['../a'], [1], hash])],
    ['absolute', pack([1, ['/a'], [1], hash])],
    ['a bomb', zstdCompressSync(new Uint8Array(257 * 1024 * 1024))],
    ['bytes behind', zstdCompressSync(new Uint8Array([...encodeCanonical([1, [], [], new Uint8Array()]), 0]))],
  ]
  for (const [name, bytes] of cases) t.throws(() => Manifest.decode(bytes), { code: 'MAKI_INVALID' }, name)
})

t.test('a manifest of more values than a million files have is refused before they are built', async (t) => {
  const head = [0x94, 1, 0xdd, 0x0b, 0, 0, 0]
  const content = new Uint8Array(head.length + 0x0b00_0000 + 4).fill(0xa0)
  content.set(head)
  content.set([0x90, 0xc4, 0, 0xc0], content.length - 4)
  t.throws(() => Manifest.decode(zstdCompressSync(content)), {
    code: 'MAKI_INVALID',
    cause: { message: /more than 2000005 values/ },
  })
})

t.test('paths that could mean another file are refused', async (t) => {
  for (const path of [
    '',
    '/',
    'a/',
    '/a',
    'a//b',
    '.',
    '..',
    'a/../b',
    './a',
    'a\0b',
    'a\\b',
    '\ud800',
    'x'.repeat(1025),
  ]) {
    t.throws(() => checkPath(path), { code: 'MAKI_INVALID' }, JSON.stringify(path.slice(0, 20)))
  }
  for (const path of ['a', 'a b', '..a', '.well-known/x', 'a\nb', "it's", 'é', '%2e%2e'])
    t.doesNotThrow(() => checkPath(path))
})

t.test('a path stands once', async (t) => {
  const file = { path: 'a', hash: 'ab'.repeat(32) as BlobHash, sizeBytes: 1 }
  t.throws(() => Manifest.of([file, file]), { code: 'MAKI_INVALID' })
})
