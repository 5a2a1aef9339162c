import { buffer } from 'node:stream/consumers'
// A CommonJS module whose names Node does not see.
import xz from 'xz-decompress'
import { readTar, type TarFile } from '../archive/index.ts'

const MAGIC = '!<arch>\n'
const HEAD_BYTES = 60

/** The files of a Debian package (deb(5)) whose data are compressed by xz. Throws for what is none. */
export async function readDeb(bytes: Uint8Array): Promise<readonly TarFile[]> {
  const data = findMember(Buffer.from(bytes), 'data.tar.xz')
  const blob = new Blob([new Uint8Array(data)])
  const stream = new xz.XzReadableStream(blob.stream())
  return [...readTar(await buffer(stream))]
}

/** A member of an archive of ar(5). */
function findMember(bytes: Buffer, wanted: string): Buffer {
  if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) throw new Error('it is no Debian package')
  for (let at = MAGIC.length; at + HEAD_BYTES <= bytes.length; ) {
    const name = bytes
      .toString('latin1', at, at + 16)
      .trim()
      .replace(/\/$/, '')
    const sizeBytes = Number(bytes.toString('latin1', at + 48, at + 58).trim())
    if (!Number.isSafeInteger(sizeBytes)) break
    const from = at + HEAD_BYTES
    if (name === wanted) return bytes.subarray(from, from + sizeBytes)
    at = from + sizeBytes + (sizeBytes % 2)
  }
  throw new Error(`the package has no ${wanted}`)
}
