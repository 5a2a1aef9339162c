import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createRandom, type Random } from '../support/seeds.ts'

/** A site as a build leaves it: paths relative to its folder. */
export interface GeneratedSite {
  readonly folder: string
  readonly paths: readonly string[]
  readonly bytes: number
}

/**
 * Sizes as on real sites: log-normal, most files of a few kB, a few of some MB that hold most of the bytes. Scaled so
 * that all have `totalBytes` together. The same seed gives the same files.
 */
export async function generateSite(
  folder: string,
  count: number,
  totalBytes: number,
  seed = 1,
): Promise<GeneratedSite> {
  const random = createRandom(seed)
  const weights = Array.from({ length: count }, () => Math.exp(1.6 * normal(random)))
  const sum = weights.reduce((a, b) => a + b, 0)
  const block = Buffer.from(random.bytes(1024 * 1024))
  const paths: string[] = []
  let bytes = 0
  for (const [i, weight] of weights.entries()) {
    const path = `${random.pick(SECTIONS)}/${random.integer(50)}/file-${i}.${random.pick(EXTENSIONS)}`
    const size = Math.max(64, Math.round((weight / sum) * totalBytes))
    await mkdir(join(folder, dirname(path)), { recursive: true })
    await writeFile(join(folder, path), content(block, size, i))
    paths.push(path)
    bytes += size
  }
  return { folder, paths, bytes }
}

/** Gives `count` files other bytes of the same length, spread over the site; `salt` makes each call another change. */
export async function changeFiles({ folder, paths }: GeneratedSite, count: number, salt: number): Promise<void> {
  const random = createRandom(1000 + salt)
  for (const path of random.shuffle(paths).slice(0, count)) {
    const bytes = await readFile(join(folder, path))
    bytes.write(`${salt}.${random.integer(2 ** 30)}.`.padEnd(24), 0, 'latin1')
    await writeFile(join(folder, path), bytes)
  }
}

const SECTIONS = ['', 'assets', 'blog', 'docs', 'images', 'posts/2025', 'posts/2026'].map((name) => `s-${name}`)
const EXTENSIONS = ['html', 'js', 'css', 'svg', 'png', 'webp', 'json', 'woff2']

/** No two files alike, at the cost of a copy: a shared block from another offset behind the file's number. */
function content(block: Buffer, size: number, i: number): Buffer {
  const bytes = Buffer.allocUnsafe(size)
  let at = bytes.write(`${i} `.padEnd(16), 0, 'latin1')
  for (let from = (i * 7919) % block.length; at < size; from = 0) at += block.copy(bytes, at, from)
  return bytes
}

/** Box and Muller. */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next())
}
