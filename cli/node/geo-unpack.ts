import { createReadStream, createWriteStream } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { MAX_DATABASE_BYTES } from '../../dns/index.ts'

const GZIP_MAGIC = [0x1f, 0x8b]
const TAR_BLOCK_BYTES = 512
const TAR_MAGIC_OFFSET = 257
const TAR_TYPE_OFFSET = 156
const REGULAR_FILE = 0x30
/** Longer is no archive of one database. */
const MAX_TAR_ENTRIES = 1000

/**
 * Makes the file at `path` the MMDB file that it is, or that is in it: as it is, gzipped, or in a tar archive, which may be
 * gzipped. What it is called does not matter. Throws where there is none, or one that is larger than a database may be.
 */
export async function unpackDatabase(path: string): Promise<void> {
  const scratch = `${path}.part`
  try {
    if (await startsWith(path, 0, GZIP_MAGIC)) {
      await pipeline(createReadStream(path), createGunzip(), limitBytes(), createWriteStream(scratch))
      await rename(scratch, path)
    }
    if (!(await startsWith(path, TAR_MAGIC_OFFSET, [...Buffer.from('ustar')]))) return
    const { start, end } = await findInTar(path)
    await pipeline(createReadStream(path, { start, end: end - 1 }), limitBytes(), createWriteStream(scratch))
    await rename(scratch, path)
  } finally {
    await rm(scratch, { force: true })
  }
}

/** Passes bytes on up to the size that a database may have; then it is an error. */
export function limitBytes(most: number = MAX_DATABASE_BYTES): Transform {
  let passed = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      passed += chunk.length
      if (passed > most) done(new Error(`it has more than the ${most} bytes that are allowed`))
      else done(null, chunk)
    },
  })
}

async function startsWith(path: string, offset: number, expected: readonly number[]): Promise<boolean> {
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(expected.length), 0, expected.length, offset)
  return bytesRead === expected.length && expected.every((octet, i) => buffer[i] === octet)
}

/** The bytes of the first file whose name ends in .mmdb (POSIX.1-1988 ustar). */
async function findInTar(path: string): Promise<{ start: number; end: number }> {
  await using file = await open(path)
  const { size: total } = await file.stat()
  let offset = 0
  for (let entries = 0; entries < MAX_TAR_ENTRIES; entries++) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(TAR_BLOCK_BYTES), 0, TAR_BLOCK_BYTES, offset)
    if (bytesRead < TAR_BLOCK_BYTES || buffer[0] === 0) break
    const [name = ''] = buffer.toString('latin1', 0, 100).split('\0')
    const [digits = ''] = buffer.toString('latin1', 124, 136).split('\0')
    if (!/^ *[0-7]+ *$/.test(digits)) throw new Error('the archive is damaged')
    const size = Number.parseInt(digits, 8)
    const start = offset + TAR_BLOCK_BYTES
    if (start + size > total) throw new Error('the archive is cut short')
    // Headers of POSIX.1-2001 and what macOS adds are entries of their own, named like the file that they are about.
    const isFile = [0, REGULAR_FILE].includes(buffer[TAR_TYPE_OFFSET] as number) && !/(^|\/)\._[^/]*$/.test(name)
    if (isFile && name.endsWith('.mmdb') && size > 0) return { start, end: start + size }
    offset = start + Math.ceil(size / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES
  }
  throw new Error('no .mmdb file is in the archive')
}
