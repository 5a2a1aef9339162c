import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from '../../support/seeds.ts'

/** What a bad disk, or a careless person, does to a node's data folder while the node does not run. */
export interface Damage {
  readonly name: string
  /** Gives what was hurt, for the title of a failure; undefined when there was nothing of the kind. */
  readonly hurt: (dataFolder: string, random: Random) => string | undefined
  /** Whether operations may be gone from the store, so that it says so in its log. `perhaps`: it depends on the place. */
  readonly loses: 'operations' | 'perhaps' | 'nothing'
  /** Turns the write-ahead log into a table first, by a start and an end in order. */
  readonly inTables?: boolean
}

const storeOf = (data: string): string => join(data, 'operations', 'operations')

/** The largest file of a kind in Level's folder. */
export function findLevelFile(data: string, pattern: RegExp): string | undefined {
  const folder = storeOf(data)
  const files = readdirSync(folder)
    .filter((name) => pattern.test(name))
    .map((name) => join(folder, name))
  return files.sort((a, b) => statSync(b).size - statSync(a).size)[0]
}

export function flip(file: string | undefined, random: Random): string | undefined {
  if (file === undefined) return undefined
  const bytes = readFileSync(file)
  const at = random.integer(bytes.length)
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.integer(8))
  writeFileSync(file, bytes)
  return `${file} at ${at} of ${bytes.length}`
}

export function cutShort(file: string | undefined, random: Random): string | undefined {
  if (file === undefined) return undefined
  const to = Math.floor((statSync(file).size * (1 + random.integer(8))) / 10)
  truncateSync(file, to)
  return `${file} to ${to} bytes`
}

function garble(file: string | undefined, random: Random): string | undefined {
  if (file === undefined || !existsSync(file)) return undefined
  writeFileSync(file, random.bytes(1 + random.integer(statSync(file).size + 100)))
  return file
}

function empty(file: string): string {
  truncateSync(file)
  return file
}

export function remove(file: string | undefined): string | undefined {
  if (file === undefined || !existsSync(file)) return undefined
  rmSync(file, { recursive: true })
  return file
}

/** Damages of the store of operations. */
export const STORE_DAMAGES: readonly Damage[] = [
  {
    name: 'a bit flipped in the write-ahead log',
    hurt: (data, random) => flip(findLevelFile(data, /\.log$/), random),
    loses: 'perhaps',
  },
  {
    name: 'a bit flipped in a table',
    hurt: (data, random) => flip(findLevelFile(data, /\.ldb$/), random),
    loses: 'perhaps',
    inTables: true,
  },
  {
    name: 'the write-ahead log cut in the middle',
    hurt: (data, random) => cutShort(findLevelFile(data, /\.log$/), random),
    loses: 'operations',
  },
  {
    name: 'a table cut in the middle',
    hurt: (data, random) => cutShort(findLevelFile(data, /\.ldb$/), random),
    loses: 'operations',
    inTables: true,
  },
  {
    name: 'a table deleted',
    hurt: (data) => remove(findLevelFile(data, /\.ldb$/)),
    loses: 'operations',
    inTables: true,
  },
  { name: 'CURRENT missing', hurt: (data) => remove(join(storeOf(data), 'CURRENT')), loses: 'perhaps' },
  {
    name: 'CURRENT garbage',
    hurt: (data, random) => garble(join(storeOf(data), 'CURRENT'), random),
    loses: 'perhaps',
  },
  {
    name: 'MANIFEST garbage',
    hurt: (data, random) => garble(findLevelFile(data, /^MANIFEST/), random),
    loses: 'perhaps',
  },
  { name: 'MANIFEST missing', hurt: (data) => remove(findLevelFile(data, /^MANIFEST/)), loses: 'perhaps' },
  { name: 'the whole Level folder deleted', hurt: (data) => remove(storeOf(data)), loses: 'operations' },
  { name: 'the whole store deleted', hurt: (data) => remove(join(data, 'operations')), loses: 'operations' },
  { name: 'the side file lost', hurt: (data) => remove(join(data, 'operations', 'integrity')), loses: 'nothing' },
  {
    name: 'the side file garbage',
    hurt: (data, random) => garble(join(data, 'operations', 'integrity'), random),
    loses: 'nothing',
  },
]

/** Files that a node makes for itself: whatever becomes of them, it finds its way. Found, not listed: a new one is tried too. */
export function listOwnFiles(data: string): string[] {
  const skipped = new Set(['bootstrap.operations'])
  const files = readdirSync(data, { withFileTypes: true }).filter((entry) => entry.isFile() && !skipped.has(entry.name))
  const inStore = readdirSync(join(data, 'operations'), { withFileTypes: true }).filter((entry) => entry.isFile())
  return [...files.map(({ name }) => name), ...inStore.map(({ name }) => join('operations', name))]
}

/** What can happen to any small file. */
export const FILE_DAMAGES: readonly [name: string, hurt: (file: string, random: Random) => unknown][] = [
  ['is garbage', garble],
  ['is empty', empty],
  ['has a flipped bit', flip],
  ['is cut short', cutShort],
  ['is gone', remove],
]

/** Every blob that a node has, with its path. */
export function listBlobFiles(data: string): string[] {
  const folder = join(data, 'blobs')
  return readdirSync(folder).flatMap((bucket) =>
    readdirSync(join(folder, bucket)).map((name) => join(folder, bucket, name)),
  )
}
