import { readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { systemRuntime } from '../../../../cli/system.ts'
import { hashBlob, type Runtime } from '../../../../core/index.ts'
import { CODINGS } from '../../../../edge/index.ts'
import { eventually } from '../../../support/eventually.ts'
import { createRandom, seeds } from '../../../support/seeds.ts'
import { contentsOf, listFiles, MadeSite, untilDone, writeText, wrongOnes } from './made-site.ts'

t.test(
  'each file that may become smaller is encoded once, whoever serves it and however often it starts',
  async (t) => {
    const random = createRandom(1)
    const site = await MadeSite.open(t.testdir({}))
    const page = writeText(random, 20_000)
    const files = {
      'index.html': page,
      'copy.txt': page,
      'data.json': writeText(random, 3000),
      'tiny.js': writeText(random, 1023),
      'photo.jpg': writeText(random, 9000),
      'noise.svg': random.bytes(30_000),
    }
    await site.publish(files)
    await site.publish({ 'same.html': page }, 'example.org')
    {
      await using maker = site.start()
      const counts = await untilDone(maker, ({ made, useless }) => made === 6 && useless === 3)
      t.match(counts, { ready: 6, made: 6, useless: 3, failed: 0, waiting: 0 })
      await eventually('workers were told', () => (site.worker.table.count === 6 ? true : undefined))
      t.strictSame(await wrongOnes(site, contentsOf(files)), [])
      t.strictSame(
        site.worker.table.list(hashBlob(page)).map(({ coding }) => coding),
        CODINGS,
      )
      t.equal(listFiles(site).length, 6)
    }
    await using again = site.start()
    await site.publish(files, 'example.net')
    await untilDone(again, ({ ready, waiting }) => ready === 6 && waiting === 0)
    t.match(again.counts, { made: 0, useless: 0, failed: 0 }, 'nothing is done twice')
    t.equal(again.encoderPid, undefined, 'so no process was started')
  },
)

t.test('what changes hands is what changed: a release of which one file is new costs that one', async (t) => {
  const random = createRandom(2)
  const site = await MadeSite.open(t.testdir({}))
  const files: Record<string, Uint8Array> = {}
  for (let i = 0; i < 5; i++) files[`page${i}.html`] = writeText(random, 2000)
  await site.publish(files)
  await using maker = site.start()
  await untilDone(maker, ({ made }) => made === 15)
  const changed = writeText(random, 2000)
  await site.publish({ ...files, 'page1.html': changed })
  await untilDone(maker, ({ made }) => made === 18)
  await eventually('workers were told', () =>
    site.worker.table.list(hashBlob(changed)).length === 3 ? true : undefined,
  )
  t.equal(maker.counts.made, 18)
})

t.test('encodings go with their blob, and come again with it', async (t) => {
  const random = createRandom(3)
  const site = await MadeSite.open(t.testdir({}))
  const page = writeText(random, 4000)
  await site.publish({ 'index.html': page })
  await using maker = site.start()
  await untilDone(maker, ({ ready }) => ready === 3)
  await site.blobs.remove(hashBlob(page))
  t.equal(maker.counts.ready, 0)
  await site.put(page)
  await untilDone(maker, ({ ready, made }) => ready === 3 && made === 6)
  await eventually('workers were told', () => (site.worker.table.count === 3 ? true : undefined))
  t.strictSame(await wrongOnes(site, new Map([[hashBlob(page), page]])), [])
  await maker[Symbol.asyncDispose]()
  await site.blobs.remove(hashBlob(page))
  await using next = site.start()
  await untilDone(next, ({ ready }) => ready === 0)
})

t.test('damaged blobs are told of and not encoded', async (t) => {
  const random = createRandom(4)
  const site = await MadeSite.open(t.testdir({}))
  const [page, other] = [writeText(random, 4000), writeText(random, 4000)]
  await site.publish({ 'index.html': page, 'other.html': other })
  writeFileSync(site.blobs.path(hashBlob(page)), writeText(random, 4000))
  await using maker = site.start()
  await untilDone(maker, ({ ready }) => ready === 3)
  await eventually('the damage was told', () => (site.damaged.length > 0 ? true : undefined))
  t.strictSame(site.damaged, [hashBlob(page)])
  t.strictSame(await wrongOnes(site, new Map([[hashBlob(other), other]])), [])
})

/** The minute before the first look at the disk, and the day between two, pass at once. */
const HASTY: Runtime = {
  ...systemRuntime,
  after: (delayMs, call) => systemRuntime.after([60_000, 86_400_000].includes(delayMs) ? 5 : delayMs, call),
}

for (const seed of seeds(3)) {
  t.test(`what the disk altered is found, however large, and made again (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const site = await MadeSite.open(t.testdir({}))
    const files: Record<string, Uint8Array> = { 'app.js': writeText(random, 200_000) }
    for (let i = 0; i < 4; i++) files[`page${i}.html`] = writeText(random, 1024 + random.integer(9000))
    await site.publish(files)
    {
      await using maker = site.start()
      await untilDone(maker, ({ ready }) => ready === 15)
    }
    const sound = new Map(listFiles(site).map((path) => [path, readFileSync(path)]))
    const altered = [...sound.keys()].filter((path) => path.includes(hashBlob(files['app.js']!)) || random.chance(0.3))
    for (const path of altered) {
      const bytes = Buffer.from(sound.get(path)!)
      bytes[random.integer(bytes.length)]! ^= 1 << random.integer(8)
      writeFileSync(path, bytes)
    }
    await using maker = site.start({ runtime: HASTY })
    // One that goes while the node runs is missed, too.
    const gone = random.pick([...sound.keys()].filter((path) => !altered.includes(path)))
    await untilDone(maker, ({ ready }) => ready === 15)
    unlinkSync(gone)
    const counts = await untilDone(maker, ({ damaged, made }) => damaged > altered.length && made >= damaged)
    t.match(counts, { ready: 15, damaged: altered.length + 1, failed: 0 })
    for (const [path, bytes] of sound) t.ok(readFileSync(path).equals(bytes), 'as it was')
    await eventually('workers were told', () => (site.worker.table.count === 15 ? true : undefined))
    t.strictSame(await wrongOnes(site, contentsOf(files)), [])
  })
}

t.test('noise is dropped soon, and what is over the cap is not begun', async (t) => {
  const random = createRandom(5)
  const site = await MadeSite.open(t.testdir({}))
  const noise = Buffer.alloc(8 * 1024 * 1024)
  for (let i = 0; i < noise.length; i += 4) noise.writeUInt32LE(Math.floor(random.next() * 2 ** 32), i)
  const zeros = Buffer.alloc(33 * 1024 * 1024)
  await site.publish({ 'noise.wasm': noise, 'zeros.json': zeros, 'index.html': writeText(random, 2000) })
  await using maker = site.start()
  const counts = await untilDone(maker, ({ useless, made }) => useless === 3 && made === 3)
  t.match(counts, { ready: 3, failed: 0, waiting: 0 })
  t.equal(site.worker.find(hashBlob(zeros), 'br'), undefined)
})

t.test('a disk that has no room gets its own back', async (t) => {
  const random = createRandom(9)
  const site = await MadeSite.open(t.testdir({}))
  await site.publish({ 'index.html': writeText(random, 9000) })
  let isShort = false
  await using maker = site.start({ isShort: () => isShort })
  await untilDone(maker, ({ ready }) => ready === 3)
  isShort = true
  await site.publish({ 'index.html': writeText(random, 9000) }, 'example.org')
  await untilDone(maker, ({ ready, evicted }) => ready === 0 && evicted === 3)
  t.equal(maker.counts.made, 3, 'and nothing is made')
})

t.test('a folder that is no folder leaves the node without encodings', async (t) => {
  const site = await MadeSite.open(t.testdir({ variants: 'a file' }))
  await site.publish({ 'index.html': writeText(createRandom(7), 9000) })
  const said: string[] = []
  const tell = (event: string) => void said.push(event)
  await using _maker = site.start({ log: { debug: tell, info: tell, warn: tell, error: tell } })
  await eventually('it was said', () => (said.includes('variants.stopped') ? true : undefined))
  t.strictSame(site.announced, [])
  unlinkSync(site.variants)
})
