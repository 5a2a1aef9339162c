import { createWriteStream } from 'node:fs'
import { link, open, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createZstdCompress } from 'node:zlib'
import {
  asMakiError,
  type BlobHash,
  findCluster,
  type Hostname,
  hashBlob,
  listDomains,
  MakiError,
  type Manifest,
  namedBlobs,
} from '../../core/index.ts'
import { TAR_END, tarFile } from '../archive/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import { listKept, readManifest } from '../release/manifests.ts'
import { openDomain } from '../release/open-domain.ts'
import { type BackupHead, describeBackup, formatBlobList } from './backup-file.ts'

/** What a backup holds, and what it should and does not. */
export interface BackupReport {
  readonly file: string
  readonly operations: number
  /** Null where they were left out. */
  readonly files: number | null
  readonly bytes: number
  /** Domains whose present files the node that answered has not all, and how many it lacks. */
  readonly missing: readonly { readonly domain: Hostname; readonly files: number }[]
}

/** Fetched ahead while those before them are written. */
const AHEAD = 8
const PAGE = 1000

/**
 * Writes all that is needed to begin anew: every operation, and the files of all releases that the nodes keep. `profile` is the text of
 * one. The file is there when it is whole, and never in the place of another: throws MAKI_CONFLICT where one is.
 */
export async function makeBackup(
  client: ClusterClient,
  path: string,
  options: { readonly profile: string; readonly withFiles: boolean },
): Promise<BackupReport> {
  const file = resolve(path)
  const partial = `${file}.partial-${Buffer.from(client.runtime.randomBytes(4)).toString('hex')}`
  const wanted = options.withFiles ? await listFiles(client) : undefined
  const found = wanted === undefined ? [] : [...wanted.hashes].sort()
  const head: BackupHead = {
    format: 1,
    cluster: client.profile.cluster,
    name: findCluster(client.state)?.name ?? '',
    madeAt: new Date(client.runtime.now()).toISOString(),
    operations: client.local.replica.count,
    blobs: wanted === undefined ? null : found.length,
  }
  let bytes = 0
  const parts = async function* (): AsyncGenerator<Uint8Array> {
    const encode = (text: string) => new TextEncoder().encode(text)
    yield* tarFile('backup.json', encode(`${JSON.stringify(head, null, 2)}\n`))
    yield* tarFile('README.txt', encode(describeBackup(head)))
    yield* tarFile('profile.toml', encode(options.profile))
    yield* tarFile('blobs.txt', encode(formatBlobList(found)))
    yield* packOperations(client, head.operations)
    for await (const blob of fetchAll(client, found)) {
      bytes += blob.bytes.length
      yield* tarFile(`blobs/${blob.hash}`, blob.bytes)
    }
    yield TAR_END
  }
  try {
    const to = createWriteStream(partial, { flags: 'wx', mode: 0o600, flush: true })
    await pipeline(Readable.from(parts()), createZstdCompress(), to, { signal: client.signal })
    await settle(partial, file)
  } catch (thrown) {
    client.signal.throwIfAborted()
    throw explain(thrown, file)
  } finally {
    await rm(partial, { force: true })
  }
  const files = wanted === undefined ? null : found.length
  return { file, operations: head.operations, files, bytes, missing: wanted?.missing ?? [] }
}

/** Under its name, durable, and not over another. */
async function settle(partial: string, file: string): Promise<void> {
  await link(partial, file)
  await using written = await open(file)
  await written.sync()
}

function explain(thrown: unknown, file: string): MakiError {
  const { code } = thrown as NodeJS.ErrnoException
  const because = { cause: thrown }
  if (code === 'EEXIST')
    return new MakiError('MAKI_CONFLICT', `${file} is there already, and is not written over`, {
      ...because,
      hint: 'Give another name, or move it away.',
    })
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new MakiError('MAKI_NOT_FOUND', `there is no folder for ${file}`, { ...because, hint: 'Make it first.' })
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM')
    return new MakiError('MAKI_USAGE', `${file} may not be written`, { ...because, hint: 'Give another place.' })
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new MakiError('MAKI_DISK_FULL', `there is no room for ${file}`, {
      ...because,
      hint: 'Nothing is left of it. Make room, or give another place.',
    })
  return asMakiError(thrown)
}

/** As they stand in the copy here: each after those that it follows. */
async function* packOperations({ local, signal }: ClusterClient, most: number): AsyncGenerator<Uint8Array> {
  let number = 0
  for (let after: string | undefined; ; ) {
    signal.throwIfAborted()
    const page = await local.replica.page(after, PAGE)
    for (const bytes of page.operations) {
      if (number >= most) return
      yield* tarFile(`operations/${String(++number).padStart(8, '0')}`, bytes)
    }
    after = page.cursor
    if (!page.more) return
  }
}

/** Every file, list of files and component of the releases that are kept, as far as the node that answers has them. */
async function listFiles(
  client: ClusterClient,
): Promise<{ readonly hashes: ReadonlySet<BlobHash>; readonly missing: BackupReport['missing'] }> {
  const { control } = await client.requireReach()
  const hashes = new Set<BlobHash>()
  const missing: { domain: Hostname; files: number }[] = []
  for (const { apex } of listDomains(client.state)) {
    const { domain, releases, purged } = await openDomain(client, apex)
    const live = releases.filter(({ operation }) => !purged.has(operation.id))
    const kept = await listKept(client, live)
    for (const release of live) {
      const isServed = release.operation.id === domain.release?.id
      if (kept?.has(release.operation.id) !== true) {
        if (isServed) missing.push({ domain: apex, files: release.change.files })
        continue
      }
      const manifest: Manifest = await readManifest(client, release)
      const all = [...new Set([...namedBlobs(release.change), ...[...manifest.files()].map(({ hash }) => hash)])]
      const lacking = new Set(await control.missingBlobs(all, client.signal))
      if (isServed && lacking.size > 0) missing.push({ domain: apex, files: lacking.size })
      for (const hash of all) if (!lacking.has(hash)) hashes.add(hash)
    }
  }
  return { hashes, missing }
}

async function* fetchAll(
  client: ClusterClient,
  hashes: readonly BlobHash[],
): AsyncGenerator<{ readonly hash: BlobHash; readonly bytes: Uint8Array }> {
  if (hashes.length === 0) return
  const { control, machine } = await client.requireReach()
  const read = async (hash: BlobHash) => {
    const bytes = await control.readBlob(hash, client.signal)
    if (hashBlob(bytes) === hash) return { hash, bytes }
    throw new MakiError(
      'MAKI_BLOB_MISMATCH',
      `${machine.name} gives other bytes for a file than its name says (${hash})`,
      {
        hint: 'Ask another node: --node NAME',
      },
    )
  }
  const queue: ReturnType<typeof read>[] = []
  for (const hash of hashes) {
    const next = read(hash)
    // Told of where its turn comes.
    next.catch(() => {})
    queue.push(next)
    if (queue.length >= AHEAD) yield await (queue.shift() as (typeof queue)[number])
  }
  for (const one of queue) yield await one
}
