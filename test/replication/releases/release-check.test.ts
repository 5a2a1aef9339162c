import t from 'tap'
import {
  type BlobHash,
  type Hostname,
  hashBlob,
  Manifest,
  type OperationId,
  type Release,
} from '../../../core/index.ts'
import { checkRelease, ReleaseChecker } from '../../../replication/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

interface Known {
  readonly release: Release
  readonly bytes: Uint8Array
  readonly hash: BlobHash
}

/** A site of a few paths and contents, so that files stay, change, move and repeat from one to the next. */
function randomRelease(random: Random): Known {
  const names = random.shuffle(['a', 'b', 'c', 'd', 'e', 'f']).slice(0, 1 + random.integer(6))
  const files = names.map((path) => {
    const content = contents[random.integer(contents.length)] as Buffer
    return { path, hash: hashBlob(content), sizeBytes: content.length + (random.chance(0.05) ? 1 : 0) }
  })
  const { bytes, hash, tree } = Manifest.of(files).encode()
  const domain = 'example.com' as Hostname
  const release = { id: 'a'.repeat(52) as OperationId, domain, manifest: hash, tree, files: 1, bytes: 1, aliases: [] }
  return { release, bytes, hash }
}

const contents = Array.from({ length: 6 }, (_, i) => Buffer.from('x'.repeat(i + 1)))

for (const seed of seeds(30)) {
  t.test(`what is remembered of releases changes no verdict (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const blobs = new Map<BlobHash, Uint8Array>()
    const store = {
      sizes: async (hashes: readonly BlobHash[]) => hashes.map((hash) => blobs.get(hash)?.length),
      read: async (hash: BlobHash) => blobs.get(hash) as Uint8Array,
      examine: async () => true,
    }
    const checker = new ReleaseChecker(store)
    const known: Known[] = []
    const verdicts = new Set<string>()
    for (let step = 0; step < 200; step++) {
      const next = random.chance(0.5) || known.length === 0 ? randomRelease(random) : random.pick(known)
      known.push(next)
      if (random.chance(0.9)) blobs.set(next.hash, next.bytes)
      if (random.chance(0.7)) for (const content of contents) blobs.set(hashBlob(content), content)
      if (random.chance(0.3)) {
        const gone = [...blobs.keys()][random.integer(blobs.size)]
        if (gone !== undefined && blobs.delete(gone)) checker.forget()
      }
      const verdict = await checkRelease(next.release, store)
      verdicts.add(verdict.kind)
      const remembered = await checker.check(next.release)
      t.equal(remembered.kind, verdict.kind)
      if (remembered.kind === 'missing') t.strictSame(remembered, verdict)
    }
    t.strictSame([...verdicts].sort(), ['invalid', 'missing', 'whole'], 'every verdict came up')
  })

  t.test(`what changed from a manifest is what a comparison of all files says (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    for (let step = 0; step < 50; step++) {
      const [before, after] = [randomRelease(random), randomRelease(random)].map(({ bytes }) => Manifest.decode(bytes))
      const changed = [...after!.files()].filter(({ path, hash, sizeBytes }) => {
        const same = before!.find(path)
        return same?.hash !== hash || same.sizeBytes !== sizeBytes
      })
      t.strictSame([...after!.changedFrom(before!)], changed)
    }
  })
}

t.test('a blob that is removed during a check is not remembered as here', async (t) => {
  const content = contents[0]!
  const { bytes, hash, tree } = Manifest.of([
    { path: 'a', hash: hashBlob(content), sizeBytes: content.length },
  ]).encode()
  const blobs = new Map<BlobHash, Uint8Array>([
    [hash, bytes],
    [hashBlob(content), content],
  ])
  const checker = new ReleaseChecker({
    sizes: async (hashes) => {
      const sizes = hashes.map((each) => blobs.get(each)?.length)
      if (hashes.includes(hashBlob(content)) && blobs.delete(hashBlob(content))) checker.forget()
      return sizes
    },
    read: async (each) => blobs.get(each) as Uint8Array,
    examine: async () => true,
  })
  const release = {
    id: 'a'.repeat(52) as OperationId,
    domain: 'example.com' as Hostname,
    manifest: hash,
    tree,
    files: 1,
    bytes: 1,
    aliases: [],
  }
  t.equal((await checker.check(release)).kind, 'whole')
  t.equal((await checker.check(release)).kind, 'missing')
})
