import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type BlobHash, hashBlob } from '../../../core/index.ts'
import { BlobStore, encodePack, openBlobReader, SMALL_BLOB_BYTES } from '../../../replication/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { auditBlobs, chunksOf, collect, createBlob, createBytes, packItem } from '../blob-support.ts'

const random = createRandom(1)
const blobs = Array.from({ length: 60 }, (_, i) => createBlob(createBytes(random, i * 37)))
const large = createBlob(createBytes(random, 3 * SMALL_BLOB_BYTES + 5))

const incoming = (directory: string): Promise<string[]> => readdir(join(directory, 'incoming'))

t.test('what was put is there, for the store and for a reader that only has the folder', async (t) => {
  const directory = t.testdir()
  const reader = openBlobReader(directory)
  await using store = await BlobStore.open(directory)
  const stored: BlobHash[] = []
  store.events.on('stored', ({ hashes }) => stored.push(...hashes))
  for (const blob of [blobs[0]!, blobs[1]!, large]) {
    t.equal(await reader.size(blob.hash), undefined)
    await t.rejects(reader.read(blob.hash), { code: 'MAKI_BLOB_MISSING' })
    await t.rejects(reader.stream(blob.hash), { code: 'MAKI_BLOB_MISSING' })
    await store.put(blob.hash, chunksOf(blob.bytes.subarray(0, 2_000_000), blob.bytes.subarray(2_000_000)))
    t.equal(await reader.size(blob.hash), blob.sizeBytes)
    t.ok(Buffer.compare(await reader.read(blob.hash), blob.bytes) === 0)
    t.ok(Buffer.compare(await collect(await reader.stream(blob.hash)), blob.bytes) === 0)
  }
  t.same(stored, [blobs[0]!.hash, blobs[1]!.hash, large.hash])
  for (const [start, end] of [
    [0, 1],
    [5, 5],
    [7, 2_000_007],
    [large.sizeBytes - 1, large.sizeBytes],
  ] as const)
    t.ok(
      Buffer.compare(
        await collect(await reader.stream(large.hash, { start, end })),
        large.bytes.subarray(start, end),
      ) === 0,
    )
  t.same(await incoming(directory), [])
  await store.remove(large.hash)
  await store.remove(large.hash)
  t.same(await store.missing([large.hash, blobs[1]!.hash]), [large.hash])
  t.throws(() => store.path('../../etc/passwd' as BlobHash), { code: 'MAKI_INVALID' })
})

t.test('bytes that are not what the hash says, or too many, leave nothing behind', async (t) => {
  const directory = t.testdir()
  await using store = await BlobStore.open(directory, { maxBlobBytes: 3_000_000 })
  const wrong = hashBlob(Buffer.from('other'))
  await t.rejects(store.put(wrong, chunksOf(blobs[5]!.bytes)), { code: 'MAKI_BLOB_MISMATCH' })
  await t.rejects(store.put(wrong, chunksOf(large.bytes.subarray(0, 2_000_000))), { code: 'MAKI_BLOB_MISMATCH' })
  await t.rejects(store.put(large.hash, chunksOf(large.bytes)), { code: 'MAKI_TOO_LARGE' })
  await t.rejects(store.putPack(encodePack([packItem(large)])), { code: 'MAKI_TOO_LARGE' })
  const breaks = async function* () {
    yield large.bytes.subarray(0, 2_000_000)
    throw new Error('hung up')
  }
  await t.rejects(store.put(large.hash, breaks()), { message: 'hung up' })
  t.same(await auditBlobs(directory), { wrong: [], count: 0 })
  t.same(await incoming(directory), [])
})

t.test('a put of what is here drains its input; concurrent puts of one hash are harmless', async (t) => {
  const directory = t.testdir()
  await using store = await BlobStore.open(directory)
  await Promise.all([
    ...Array.from({ length: 5 }, () => store.put(large.hash, chunksOf(large.bytes))),
    ...Array.from({ length: 5 }, () => store.putPack(encodePack(blobs.map(packItem)))),
    ...blobs.map((blob) => store.put(blob.hash, chunksOf(blob.bytes))),
  ])
  t.same(await auditBlobs(directory), { wrong: [], count: blobs.length + 1 })
  let drained = 0
  const watched = async function* () {
    for (let i = 0; i < 3; i++) {
      drained += 1
      yield Buffer.from('whatever')
    }
  }
  await store.put(large.hash, watched())
  t.equal(drained, 3)
  const listed: BlobHash[] = []
  for await (const hash of store.list()) listed.push(hash)
  t.same(listed, [large, ...blobs].map(({ hash }) => hash).sort())
  t.same(await incoming(directory), [])
})

t.test('of a pack that breaks, what was whole is kept', async (t) => {
  const directory = t.testdir()
  await using store = await BlobStore.open(directory)
  const pack = await collect(encodePack([...blobs.slice(0, 20), large].map(packItem)))
  await t.rejects(store.putPack(chunksOf(pack.subarray(0, -1))), { code: 'MAKI_PROTOCOL' })
  t.same(await auditBlobs(directory), { wrong: [], count: 20 })
  t.equal(await store.putPack(chunksOf(pack)), 21)
  t.same(await store.missing([...blobs.slice(0, 20), large].map(({ hash }) => hash)), [])
  t.equal(await store.putPack(chunksOf()), 0)
  t.same(await incoming(directory), [])
})

t.test('what an earlier process left half done is swept', async (t) => {
  const directory = t.testdir()
  await mkdir(join(directory, 'incoming'))
  await writeFile(join(directory, 'incoming', '1-1'), 'half')
  await using store = await BlobStore.open(directory)
  t.same(await incoming(directory), [])
  t.equal(await store.has(large.hash), false)
})

t.test('a folder that cannot be used is refused in words', async (t) => {
  const directory = t.testdir({ data: 'a file' })
  await t.rejects(BlobStore.open(join(directory, 'data')), { code: 'MAKI_STORE_FAILED' })
})

t.test('the last part of the disk is left to the log', async (t) => {
  const directory = t.testdir()
  const blockBytes = 4096
  // 5 % of 20 GiB are 1 GiB; of a small disk it is 512 MiB.
  const disk = { bsize: blockBytes, blocks: (20 * 1024 ** 3) / blockBytes, bavail: 0 }
  await using store = await BlobStore.open(directory, { statfs: async () => disk })
  const free = (bytes: number) => Object.assign(disk, { bavail: Math.floor(bytes / blockBytes) })
  const refused = { code: 'MAKI_DISK_FULL' }
  free(1024 ** 3)
  await t.rejects(store.put(blobs[9]!.hash, chunksOf(blobs[9]!.bytes)), refused)
  await t.rejects(store.putPack(encodePack(blobs.map(packItem))), refused)
  free(1024 ** 3 + 2_000_000)
  await store.put(blobs[9]!.hash, chunksOf(blobs[9]!.bytes))
  await t.rejects(store.put(large.hash, chunksOf(large.bytes)), refused)
  Object.assign(disk, { blocks: (2 * 1024 ** 3) / blockBytes })
  free(512 * 1024 ** 2 + 1000)
  await t.rejects(store.put(large.hash, chunksOf(large.bytes)), refused)
  t.same(await auditBlobs(directory), { wrong: [], count: 1 })
  t.same(await incoming(directory), [])
})

t.test('a disk that is really full is told as such', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'makiatto-full-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  let isMounted = true
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', directory], { stdio: 'ignore' })
    // Teardowns run last in, first out.
    t.teardown(() => execFileSync('umount', ['-l', directory]))
  } catch {
    isMounted = false
  }
  const plenty = async () => ({ bsize: 4096, blocks: 1e9, bavail: 1e9 })
  // Who may not mount sees the same refusal by way of the reserve.
  const none = async () => ({ ...(await statfs(directory)), bavail: 0 })
  await using store = await BlobStore.open(directory, { statfs: isMounted ? plenty : none })
  await t.rejects(store.put(large.hash, chunksOf(large.bytes)), { code: 'MAKI_DISK_FULL' })
  await t.rejects(store.putPack(encodePack([packItem(large)])), { code: 'MAKI_DISK_FULL' })
  const many = Array.from({ length: 40 }, () => createBlob(random.bytes(100_000)))
  await t.rejects(store.putPack(encodePack(many.map(packItem))), { code: 'MAKI_DISK_FULL' })
  t.same((await auditBlobs(directory)).wrong, [])
  t.same(await incoming(directory), [])
})

const child = fileURLToPath(new URL('./blob-store-child.ts', import.meta.url))

for (const seed of seeds(3)) {
  t.test(
    `kill -9 in the middle of packs leaves no wrong blob, and no acknowledged one is lost (SEED=${seed})`,
    async (t) => {
      const directory = t.testdir()
      const process_ = spawn(process.execPath, [child, directory, String(seed)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const killAfter = 1 + createRandom(seed).integer(4)
      const acknowledged: BlobHash[] = []
      let lines = 0
      let text = ''
      process_.stdout.setEncoding('utf8')
      for await (const chunk of process_.stdout) {
        text += chunk
        const complete = text.split('\n')
        text = complete.pop() ?? ''
        for (const line of complete) acknowledged.push(...(JSON.parse(line) as BlobHash[]))
        lines += complete.length
        if (lines >= killAfter) process_.kill('SIGKILL')
      }
      if (process_.exitCode === null && process_.signalCode === null) await once(process_, 'exit')
      t.equal(process_.signalCode, 'SIGKILL')
      t.ok(acknowledged.length > 0)
      t.same((await auditBlobs(directory)).wrong, [])
      await using store = await BlobStore.open(directory)
      t.same(await store.missing(acknowledged), [])
      t.same(await incoming(directory), [])
    },
  )
}
