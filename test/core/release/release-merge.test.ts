import { zstdDecompressSync } from 'node:zlib'
import t from 'tap'
import {
  type BlobHash,
  describeMerge,
  findFileHashes,
  type Hostname,
  hashBlob,
  Manifest,
  type ManifestFile,
  type MergePlan,
  mergeId,
  mergeManifests,
  mergeReleases,
  operationIdFrom,
  planMerge,
  type Release,
  type ReleaseValue,
  sidesOf,
} from '../../../core/index.ts'
import { frameRaw } from '../../../core/release/zstd-frame.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

const domain = 'example.com' as Hostname
const PATHS = ['a', 'a/b', 'b.html', 'c', 'd/e/f', 'é', 'z']

const file = (path: string, content: number): ManifestFile => ({
  path,
  hash: hashBlob(Uint8Array.of(content)),
  sizeBytes: content,
})

function randomSite(random: Random): Manifest {
  return Manifest.of(PATHS.filter(() => random.chance(0.6)).map((path) => file(path, 1 + random.integer(3))))
}

/** A site in which each path of another was kept, changed, deleted or added. */
function changeSite(random: Random, site: Manifest, chance: number): Manifest {
  return Manifest.of(
    PATHS.flatMap((path) => {
      if (!random.chance(chance)) return site.find(path) ?? []
      return random.chance(0.4) ? [] : file(path, 1 + random.integer(3))
    }),
  )
}

const listFiles = (manifest: Manifest): ManifestFile[] => [...manifest.files()]

/** The rule as the design has it, one path at a time. */
function oracle(base: Manifest, sides: readonly Manifest[], path: string): ManifestFile | undefined {
  const say = (manifest: Manifest) => JSON.stringify(manifest.find(path) ?? null)
  const changes = new Set(sides.map(say).filter((text) => text !== say(base)))
  if (changes.size > 1) return sides[0]?.find(path)
  const [only = say(base)] = changes
  return (JSON.parse(only) as ManifestFile | null) ?? undefined
}

for (const seed of seeds(200)) {
  t.test(`a merge is what the rule says of each path (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const base = random.chance(0.1) ? Manifest.of([]) : randomSite(random)
    const sides = Array.from({ length: 2 + random.integer(4) }, () => changeSite(random, base, random.next()))
    const { manifest, contested } = mergeManifests(base, sides)
    t.strictSame(
      listFiles(manifest),
      [...PATHS].sort().flatMap((path) => oracle(base, sides, path) ?? []),
    )
    for (const path of contested) t.strictSame(manifest.find(path), sides[0]?.find(path), 'the greatest stands')

    const [greatest, ...others] = sides as [Manifest, ...Manifest[]]
    const shuffled = mergeManifests(base, [greatest, ...random.shuffle(others)])
    t.strictSame(shuffled.manifest.encode(), manifest.encode(), 'the order of the others does not matter')
    t.strictSame(shuffled.contested, contested)
    if (contested.length === 0) {
      const any = mergeManifests(base, random.shuffle(sides))
      t.strictSame(any.manifest.encode(), manifest.encode(), 'without a contest no order matters at all')
    }
    const again = mergeManifests(base, [...sides, ...sides])
    t.strictSame(again.manifest.encode(), manifest.encode(), 'saying it twice changes nothing')

    const changed = random.pick(sides)
    const still = mergeManifests(base, random.shuffle([base, base, changed]))
    t.strictSame(still.manifest.encode(), changed.encode(), 'where the others changed nothing, one side is the result')
    t.strictSame(mergeManifests(base, [base, base]).manifest.encode(), base.encode())
    t.strictSame(mergeManifests(base, [changed, changed]).contested, [])
  })

  t.test(`what every node computes is the same to the byte, and needs no compressor (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const site = randomSite(random)
    const stored = site.encodeStored()
    t.equal(stored.hash, hashBlob(stored.bytes))
    t.equal(stored.tree, site.encode().tree)
    t.strictSame(listFiles(Manifest.decode(stored.bytes)), listFiles(site))
    for (const { bytes } of [stored, site.encode()]) {
      const hashes = findFileHashes(zstdDecompressSync(bytes)) as Uint8Array
      t.equal(
        Buffer.from(hashes).toString('hex'),
        listFiles(site)
          .map(({ hash }) => hash)
          .join(''),
      )
    }
    const content = random.bytes(random.integer(600_000))
    t.ok(zstdDecompressSync(frameRaw(content)).equals(content), `${content.length} bytes`)
  })
}

t.test('frames at the edges of a block', async (t) => {
  for (const length of [0, 1, 131_071, 131_072, 131_073, 262_144]) {
    const content = Buffer.alloc(length, 7)
    t.ok(zstdDecompressSync(frameRaw(content)).equals(content), `${length} bytes`)
  }
})

t.test('hashes are found in manifests of every size, and in nothing else', async (t) => {
  for (const files of [0, 1, 15, 16, 65_535, 65_536]) {
    const site = Manifest.of(Array.from({ length: files }, (_, i) => file(`f${i}`, i % 200)))
    const hashes = findFileHashes(zstdDecompressSync(site.encode().bytes))
    t.equal(hashes?.length, files * 32)
    t.equal(Buffer.from(hashes?.subarray(0, 32) ?? []).toString('hex'), files === 0 ? '' : file('', 0).hash)
  }
  for (const bytes of [[], [0x94], [0x94, 1], [0x94, 1, 0xdd], [0x94, 2, 0x90], [0x94, 1, 0x9f], [0x94, 1, 0xdc, 0xff]])
    t.equal(findFileHashes(Uint8Array.from(bytes)), undefined, bytes.join())
})

const release = (number: number, manifest: Manifest, more: Partial<ReleaseValue> = {}): Release => {
  const { hash, tree } = manifest.encode()
  const id = operationIdFrom(new Uint8Array(32).fill(number))
  return {
    id,
    domain,
    manifest: hash,
    tree,
    files: manifest.fileCount,
    bytes: manifest.totalBytes,
    aliases: [],
    ...more,
  }
}

const sideOf = ({ id, domain: _, ...value }: Release) => ({ operation: id, value })
const manifestsOf = (...sites: Manifest[]): Map<BlobHash, Manifest> =>
  new Map(sites.map((site) => [site.encode().hash, site]))

t.test('what is merged, and what is not', async (t) => {
  const [empty, one, two] = [Manifest.of([]), Manifest.of([file('a', 1)]), Manifest.of([file('b', 1)])] as [
    Manifest,
    Manifest,
    Manifest,
  ]
  const [base, a, b] = [release(1, empty), release(2, one), release(3, two)]
  const plan = planMerge(domain, [a, b].map(sideOf), base)
  t.strictSame(plan, { domain, base, sides: [a, b] })
  t.equal(planMerge(domain, [a].map(sideOf), base), undefined, 'one side')
  t.equal(planMerge(domain, [], undefined), undefined)
  t.equal(planMerge(domain, [a, release(4, two, { rollbackOf: base.id })].map(sideOf), base), undefined, 'a rollback')
  t.equal(planMerge(domain, [sideOf(a), { operation: b.id, value: undefined }], base), undefined, 'a removal')
  t.equal(planMerge(domain, [a, release(4, one)].map(sideOf), base), undefined, 'the same content twice')
  const many = Array.from({ length: 17 }, (_, i) => sideOf(release(i, Manifest.of([file(`${i}`, 1)]))))
  t.equal(planMerge(domain, many, base), undefined, 'too many')
  t.ok(planMerge(domain, many.slice(1), base))
})

t.test(
  'aliases and functions are merged by name, transforms as one list; the id follows from base and sides',
  async (t) => {
    const component = hashBlob(Uint8Array.of(1))
    const other = hashBlob(Uint8Array.of(2))
    const fn = (path: string, hash = component) => ({ path, component: hash })
    const filter = (path: string) => ({ path, component, files: '**' })
    const hosts = (...names: string[]) => names as Hostname[]
    const [s0, s1, s2] = [1, 2, 3].map((content) => Manifest.of([file('p', content), file(`only${content}`, 1)])) as [
      Manifest,
      Manifest,
      Manifest,
    ]
    const base = release(1, s0, {
      aliases: hosts('a.example', 'b.example'),
      functions: [fn('one'), fn('two')],
      transforms: [filter('x')],
    })
    const left = release(2, s1, { aliases: hosts('b.example', 'c.example'), functions: [fn('one', other), fn('two')] })
    const right = release(3, s2, {
      aliases: hosts('a.example', 'b.example', 'd.example'),
      functions: [fn('one'), fn('three')],
      transforms: [filter('x')],
    })
    const plan: MergePlan = { domain, base, sides: [right, left] }
    const merge = mergeReleases(plan, manifestsOf(s0, s1, s2))
    t.strictSame(merge.aliases, hosts('b.example', 'c.example', 'd.example'))
    t.strictSame(merge.functions, [fn('one', other), fn('three')])
    t.strictSame(merge.transforms, [], 'one side removed them, the other left them alone')
    t.strictSame(merge.contested, ['p'])
    t.strictSame(merge.manifest.find('p'), s2.find('p'))
    const { release: merged, bytes } = describeMerge(plan, merge)
    t.equal(merged.manifest, hashBlob(bytes))
    t.strictSame(sidesOf(merged), [right.id, left.id])
    t.equal(sidesOf(left), undefined)
    t.equal(merged.files, 3)

    t.equal(mergeId({ base, sides: [left, right] }), merged.id, 'in any order')
    t.not(mergeId({ base: undefined, sides: [left, right] }), merged.id)
    t.not(mergeId({ base, sides: [left, right, base] }), merged.id)
    // Golden: nodes of different versions must call it the same.
    t.equal(merged.id, GOLDEN)
  },
)

const GOLDEN = '3un2vfwyfozytpqdev7swfqt4t4lurktwd24grzsnubrvprqascq'
