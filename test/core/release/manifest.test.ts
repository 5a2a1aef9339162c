import { isDeepStrictEqual } from 'node:util'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import t from 'tap'
import { decodeMessage, isCanonical } from '../../../core/encoding/index.ts'
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
  for (const [name, bytes] of cases) {
    t.throws(() => Manifest.decode(bytes), { code: 'MAKI_INVALID' }, name)
    await t.rejects(
      Manifest.decodeInSteps(bytes, async () => {}),
      { code: 'MAKI_INVALID' },
      name,
    )
  }
})

t.test('a manifest of more values than a million files have is refused before they are built', async (t) => {
  const head = [0x94, 1, 0xdd, 0x0b, 0, 0, 0]
  const content = new Uint8Array(head.length + 0x0b00_0000 + 4).fill(0xa0)
  content.set(head)
  content.set([0x90, 0xc4, 0, 0xc0], content.length - 4)
  t.throws(() => Manifest.decode(zstdCompressSync(content)), {
    code: 'MAKI_INVALID',
    message: /more than 1000000 files/,
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

/** What a manifest says by another reader: decoded as a whole, checked, and encoded again. */
function readAnew(content: Uint8Array): [string, number, string][] | undefined {
  try {
    const value = decodeMessage(content, 10_000) as [number, string[], number[], Uint8Array]
    const [format, paths, sizes, hashes] = value
    const isWhole = value.length === 4 && hashes.length === paths.length * 32 && sizes.length === paths.length
    const isSound = format === 1 && sizes.every((size) => Number.isSafeInteger(size) && size >= 0)
    if (!isWhole || !isSound || !isCanonical(content, value)) return undefined
    for (const [i, path] of paths.entries()) {
      checkPath(path)
      if (i > 0 && path <= (paths[i - 1] as string)) return undefined
    }
    return paths.map((path, i) => [path, sizes[i] as number, Buffer.from(hashes).toString('hex', i * 32, i * 32 + 32)])
  } catch {
    return undefined
  }
}

for (const seed of seeds(60)) {
  t.test(`what is altered is refused, or says what it says to every reader (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const lengths = [1, 2, 31, 32, 255, 256, 300]
    const paths = new Set(
      Array.from({ length: random.pick([0, 1, 5, 15, 16, 40]) }, () => {
        const letter = random.pick(['a', 'b', 'é', '\ufffd', '🦊'])
        return letter.repeat(random.pick(lengths)) + random.integer(1000)
      }),
    )
    const sizes = [0, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]
    const files = [...paths].map((path) => ({ path, hash: hashBlob(random.bytes(4)), sizeBytes: random.pick(sizes) }))
    const content = new Uint8Array(zstdDecompressSync(Manifest.of(files).encode().bytes))
    for (let i = 0; i < 60; i++) {
      const altered = i === 0 ? content : content.slice()
      for (let n = i === 0 ? 0 : 1 + random.integer(3); n > 0; n--)
        altered[random.integer(altered.length)] = random.chance(0.5)
          ? random.integer(256)
          : random.pick([0xcb, 0xd9, 0xda])
      const wanted = readAnew(altered)
      let found: ReturnType<typeof readAnew>
      try {
        found = [...Manifest.decode(zstdCompressSync(altered)).files()].map((f) => [f.path, f.sizeBytes, f.hash])
      } catch (error) {
        if ((error as { code?: string }).code !== 'MAKI_INVALID') throw error
      }
      if (!isDeepStrictEqual(found, wanted)) t.strictSame(found, wanted, `alteration ${i}`)
    }
    t.ok(readAnew(content) !== undefined)
  })
}

t.test('a large one is read in steps, and rests between them', async (t) => {
  const files = Array.from({ length: 20_000 }, (_, i) => ({
    path: `${i}.html`,
    hash: hashBlob(Uint8Array.of(1)),
    sizeBytes: i,
  }))
  const { bytes, hash } = Manifest.of(files).encode()
  let rests = 0
  const rest = async () => void rests++
  const manifest = await Manifest.decodeInSteps(bytes, rest)
  t.equal(manifest.encode().hash, hash)
  t.equal(manifest.find('19999.html')?.sizeBytes, 19_999)
  t.ok(rests >= 9, `${rests} rests`)
})

t.test('each number and length has one form, the shortest', async (t) => {
  const u16 = (n: number) => [n >> 8, n & 0xff]
  const letters = (n: number): number[] => Array<number>(n).fill(0x61)
  const names = (n: number): number[] => Array.from({ length: n }, (_, i) => [0xa1, 0x61 + i]).flat()
  const build = (
    paths: number[],
    sizes: number[] = [0x91, 5],
    hashes: number[] = [0xc4, 32, ...Array<number>(32).fill(1)],
  ) => Uint8Array.from([0x94, 1, ...paths, ...sizes, ...hashes])
  const one = [0x91, 0xa1, 0x61]
  const many = (n: number, head: number[], sizeHead = head) =>
    build(
      [...head, ...names(n)],
      [...sizeHead, ...Array<number>(n).fill(0)],
      [0xc5, ...u16(n * 32), ...Array<number>(n * 32).fill(1)],
    )
  const right: [string, Uint8Array][] = [
    ['one file', build(one)],
    ['a name of 32 letters', build([0x91, 0xd9, 32, ...letters(32)])],
    ['of 256', build([0x91, 0xda, 1, 0, ...letters(256)])],
    ['a size of 128', build(one, [0x91, 0xcc, 128])],
    ['of 256', build(one, [0x91, 0xcd, 1, 0])],
    ['of 65,536', build(one, [0x91, 0xce, 0, 1, 0, 0])],
    ['of 4 GiB', build(one, [0x91, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0])],
    ['15 files', many(15, [0x9f])],
    ['16 files', many(16, [0xdc, 0, 16])],
  ]
  const wrong: [string, Uint8Array][] = [
    ['one file', build([0xdc, 0, 1, 0xa1, 0x61])],
    ['one file, longer', build([0xdd, 0, 0, 0, 1, 0xa1, 0x61])],
    ['15 files', many(15, [0xdc, 0, 15])],
    ['15 sizes', many(15, [0x9f], [0xdc, 0, 15])],
    ['a name of 31 letters', build([0x91, 0xd9, 31, ...letters(31)])],
    ['of 255', build([0x91, 0xda, 0, 255, ...letters(255)])],
    ['a name with a length of four bytes', build([0x91, 0xdb, 0, 0, 0, 1, 0x61])],
    ['a size of 127', build(one, [0x91, 0xcc, 127])],
    ['of 255', build(one, [0x91, 0xcd, 0, 255])],
    ['of 65,535', build(one, [0x91, 0xce, 0, 0, 255, 255])],
    ['below 4 GiB', build(one, [0x91, 0xcf, 0, 0, 0, 0, 255, 255, 255, 255])],
    ['a signed size', build(one, [0x91, 0xd0, 5])],
    ['a float', build(one, [0x91, 0xca, 0x40, 0xa0, 0, 0])],
    ['beyond what is exact', build(one, [0x91, 0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0])],
    ['hashes', build(one, undefined, [0xc5, 0, 32, ...Array<number>(32).fill(1)])],
    ['bytes that are no UTF-8', build([0x91, 0xa1, 0xff])],
  ]
  for (const [name, content] of right) t.doesNotThrow(() => Manifest.decode(zstdCompressSync(content)), name)
  for (const [name, content] of wrong)
    t.throws(() => Manifest.decode(zstdCompressSync(content)), { code: 'MAKI_INVALID' }, name)
  for (const [name, content] of right) t.ok(readAnew(content) !== undefined, `${name}, by the other reader`)
  for (const [name, content] of wrong) t.equal(readAnew(content), undefined, `${name}, by the other reader`)
})
