import t from 'tap'
import { AssetIndex } from '../../../cli/node/asset-index.ts'
import { EdgeLearner } from '../../../cli/node/edge-learner.ts'
import type { EdgeAnswer, EdgeQuestion, EdgeRelease } from '../../../cli/node/edge-questions.ts'
import { type BlobHash, type Hostname, hashBlob, type OperationId, operationIdFrom } from '../../../core/index.ts'
import { buildManifest, FakeRuntime, MemoryBlobs } from '../../edge/fixtures.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const domain = 'example.com' as Hostname
const DAY_MS = 24 * 3_600_000
const idOf = (name: string): OperationId => operationIdFrom(Buffer.from(hashBlob(Buffer.from(name)), 'hex'))
const chunk = (i: number): string => `assets/app-${hashBlob(Buffer.from(`chunk ${i}`)).slice(0, 16)}.js`
const need = (path: string) => ({ kind: 'asset', domain, path }) as const

interface World {
  readonly blobs: MemoryBlobs
  readonly runtime: FakeRuntime
  readonly asked: EdgeQuestion[]
  readonly learner: EdgeLearner
  publish(name: string, files: Readonly<Record<string, string>>, endedMs?: number): EdgeRelease
}

function createWorld(answer: (question: EdgeQuestion) => Promise<EdgeAnswer> = async () => null): World {
  const blobs = new MemoryBlobs()
  const runtime = new FakeRuntime()
  runtime.advance(100 * DAY_MS)
  const asked: EdgeQuestion[] = []
  const ask = (question: EdgeQuestion) => {
    asked.push(question)
    return answer(question)
  }
  return {
    blobs,
    runtime,
    asked,
    learner: new EdgeLearner({ blobs, ask, runtime }),
    publish(name, files, endedMs) {
      const { bytes, hash } = buildManifest(blobs, files).encode()
      blobs.bytes.set(hash, bytes)
      return { id: idOf(name), manifest: hash, ...(endedMs === undefined ? {} : { endedMs }) }
    },
  }
}

for (const seed of seeds(30)) {
  t.test(`a chunk is found while a release that has it may be open, and only then (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const { blobs, runtime, learner, publish } = createWorld()
    let releases: EdgeRelease[] = []
    const files = new Map<OperationId, ReadonlySet<string>>()
    const paths = Array.from({ length: 30 }, (_, i) => chunk(i))
    for (let step = 0; step < 40; step++) {
      const roll = random.next()
      if (roll < 0.5) {
        const some = random.shuffle(paths).slice(0, 1 + random.integer(6))
        const release = publish(`${seed} ${step}`, Object.fromEntries(some.map((path) => [path, `of ${path}`])))
        files.set(release.id, new Set(some))
        const [live, ...older] = releases
        releases = [release, ...(live === undefined ? [] : [{ ...live, endedMs: runtime.now() }]), ...older]
      } else if (roll < 0.6 && releases.length > 1) {
        // A purge takes any of them but the first.
        const taken = 1 + random.integer(releases.length - 1)
        releases = releases.filter((_, i) => i !== taken)
      } else if (roll < 0.7) releases = releases.slice(0, 10)
      else runtime.advance(random.integer(3 * DAY_MS))
      learner.setReleases(domain, releases)
      for (const path of random.shuffle(paths).slice(0, 4)) {
        const open = releases.filter(
          ({ id, endedMs }) =>
            files.get(id)?.has(path) === true && (endedMs === undefined || runtime.now() - endedMs < 7 * DAY_MS),
        )
        const { asset } = await learner.findAsset(need(path))
        if (open.length === 0) t.equal(asset, null, `${path} is in no release that may be open`)
        else {
          t.equal(asset?.file.hash, blobs.add(`of ${path}`))
          t.ok(open.some(({ id }) => id === asset?.release))
        }
        runtime.advance(1_000)
      }
    }
  })
}

t.test('what is not named after its content is gone with its release', async (t) => {
  const { learner, publish, asked } = createWorld()
  const old = publish(
    'old',
    { [chunk(1)]: 'a', 'assets/about-settings.js': 'b', 'assets.pdf': 'c', 'x/my-settings.js': 'd' },
    1,
  )
  learner.setReleases(domain, [publish('new', { 'index.html': '' }), { ...old, endedMs: 100 * DAY_MS }])
  for (const [path, isFound] of [
    [chunk(1), true],
    // Where the bundler puts its files, a hash that reads like a word is one all the same.
    ['assets/about-settings.js', true],
    ['x/my-settings.js', false],
    ['assets.pdf', false],
  ] as const)
    t.equal((await learner.findAsset(need(path))).asset !== null, isFound, path)
  t.equal(asked.length, 2, 'and other nodes were asked')
})

t.test('a flood of names that nobody has costs a bounded number of questions, and the others a quick no', async (t) => {
  const answers: ((answer: EdgeAnswer) => void)[] = []
  const { learner, asked, runtime } = createWorld(() => new Promise((resolve) => answers.push(resolve)))
  const found = Array.from({ length: 5_000 }, (_, i) => learner.findAsset(need(chunk(i))))
  const again = learner.findAsset(need(chunk(0)))
  const other = learner.findAsset({ kind: 'asset', domain: 'other.example' as Hostname, path: chunk(0) })
  t.strictSame(await Promise.all(found.slice(16)), Array(4_984).fill({ asset: null }))
  t.equal(asked.length, 17, 'sixteen of this domain, and one of the other')
  for (const answer of answers) answer(null)
  t.strictSame(await Promise.all([...found.slice(0, 16), again, other]), Array(18).fill({ asset: null }))
  await learner.findAsset(need(chunk(3)))
  t.equal(asked.length, 17, 'what is known to be nowhere is not looked for again')
  runtime.advance(1_001)
  void learner.findAsset(need(chunk(3)))
  await Promise.resolve()
  for (let i = 0; i < 10; i++) await Promise.resolve()
  t.equal(asked.length, 18, 'for a second')
  t.match(learner.counts, { assetsAbsent: 17, assetsUnasked: 4_984 })
})

t.test('bytes that are not here are asked for by their name', async (t) => {
  const { learner, publish, asked, blobs } = createWorld(async (question) =>
    'known' in question ? question.known : null,
  )
  learner.setReleases(domain, [publish('one', { [chunk(1)]: 'a' })])
  const hash = blobs.add('a')
  blobs.bytes.delete(hash)
  const { asset } = await learner.findAsset(need(chunk(1)))
  t.match(asset, { file: { hash, sizeBytes: 1 }, release: idOf('one') })
  t.match(asked, [{ kind: 'asset', known: { file: { hash } } }])
})

t.test('previews: what is kept is shown, once it is whole; what is not is unknown at once', async (t) => {
  let isWhole: boolean | null = false
  const { learner, publish, asked, runtime, blobs } = createWorld(async () => isWhole)
  const long = Array.from({ length: 12 }, (_, i) => publish(`${i}`, { 'index.html': `${i}` }, 80 * DAY_MS))
  learner.setReleases(domain, long)
  const show = (name: string, length = 26) =>
    learner.findPreview({ kind: 'preview', domain, idPrefix: idOf(name).slice(0, length) })
  t.strictSame(await show('nobody'), { preview: null })
  t.strictSame(await show('10'), { preview: null }, 'the eleventh was replaced long ago')
  t.equal(asked.length, 0, 'without a question')
  await t.rejects(show('3'), { code: 'MAKI_BLOB_MISSING' }, 'not whole yet')
  isWhole = true
  t.equal((await show('3', 52)).preview?.id, idOf('3'))
  await show('3')
  t.equal(asked.length, 2, 'it is asked once')
  isWhole = null
  t.equal((await show('4')).preview?.manifest.find('index.html')?.hash, blobs.add('4'), 'while control is gone, too')
  learner.setReleases(domain, long.slice(0, 3))
  t.strictSame(await show('3'), { preview: null }, 'purged')
  runtime.advance(1)
})

t.test('an index of names stays within its bounds', async (t) => {
  const read: string[] = []
  const blobs = new MemoryBlobs()
  const index = new AssetIndex({
    read: async (name, { id }) => {
      read.push(name)
      return { manifest: buildManifest(blobs, Object.fromEntries([1, 2, 3].map((i) => [chunk(i), `${id}`]))) }
    },
    now: () => 0,
    maxFiles: 7,
  })
  const release = { id: idOf('one'), manifest: hashBlob(Buffer.from('m')) as BlobHash }
  for (const name of ['a', 'b', 'c', 'c', 'b', 'a'])
    t.ok(await index.find(`${name}.example` as Hostname, [release], chunk(1)), name)
  t.strictSame(
    read,
    ['a', 'b', 'c', 'a'].map((name) => `${name}.example`),
    'the oldest made room',
  )
})

for (const seed of seeds(20)) {
  t.test(`a chunk that a password protected is told of as such (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const { learner, publish } = createWorld()
    const isProtected = random.chance(0.5)
    const rules = `/assets/*\n  ${isProtected ? 'Basic-Auth: me:$scrypt$ln=1,r=1,p=1$aaaaaaaaaaa$aaaaaaaaaaaaaaaaaaaaaa' : 'A: b'}\n`
    const old = publish('old', { [chunk(1)]: 'old', _headers: rules }, 100 * DAY_MS)
    learner.setReleases(domain, [publish('live', { 'index.html': '' }), old])
    const { asset } = await learner.findAsset(need(chunk(1)))
    t.equal(asset?.release, old.id)
    t.equal(asset?.isProtected ?? false, isProtected)
  })
}
