import { promisify } from 'node:util'
import { brotliCompress, constants, gzip, zstdCompress } from 'node:zlib'
import type { EncodingStep } from '../../../edge/index.ts'

const compress = { br: promisify(brotliCompress), gzip: promisify(gzip), zstd: promisify(zstdCompress) }
/** Pieces that a result is put together from. */
const CHUNK_BYTES = 256 * 1024
/** RFC 9659: a decoder for the web need not have a larger window, 8 MiB. */
const MAX_ZSTD_WINDOW_LOG = 23

/** Encodes bytes; equal bytes and steps give equal results with one build of the libraries. Off this thread. */
export async function encodeBytes(bytes: Uint8Array, { coding, level }: EncodingStep): Promise<Uint8Array> {
  switch (coding) {
    case 'gzip':
      return await compress.gzip(bytes, { level, memLevel: 9, chunkSize: CHUNK_BYTES })
    case 'br':
      return await compress.br(bytes, {
        chunkSize: CHUNK_BYTES,
        params: {
          [constants.BROTLI_PARAM_QUALITY]: level,
          [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
        },
      })
    case 'zstd':
      return await compress.zstd(bytes, {
        chunkSize: CHUNK_BYTES,
        pledgedSrcSize: bytes.length,
        params: {
          [constants.ZSTD_c_compressionLevel]: level,
          [constants.ZSTD_c_windowLog]: windowLog(bytes.length),
        },
      })
    default:
      return coding satisfies never
  }
}

/** As large as the content and no larger, so that a decoder sets no more aside. */
function windowLog(sizeBytes: number): number {
  return Math.min(MAX_ZSTD_WINDOW_LOG, Math.max(10, Math.ceil(Math.log2(sizeBytes))))
}

/** What does not get below this in a first, quick try is noise to all codings. */
const NOISE = 0.98

/** Whether bytes cannot be made smaller to speak of: compressed already, encrypted, random. A MiB takes some 3 ms. */
export async function isNoise(bytes: Uint8Array): Promise<boolean> {
  const tried = await compress.zstd(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 } })
  return tried.length > bytes.length * NOISE
}
