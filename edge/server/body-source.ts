import { type FileHandle, open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { type BlobReader, MakiError } from '../../core/index.ts'
import type { BlobBody } from '../respond/index.ts'
import { wrongLength } from '../transport/index.ts'
import type { VariantReader } from '../variants/index.ts'

/** What bodies are read from. Their promises reject with MAKI_BLOB_MISSING before the first byte. */
export interface BodySource {
  readonly blobs: BlobReader
  /** Undefined where no answer names an encoding. */
  readonly variants?: VariantReader | undefined
}

/** All bytes of a body that is the whole of a blob or of an encoding. */
export function readBody({ hash, variant }: BlobBody, source: BodySource): Promise<Uint8Array> {
  return variant === undefined ? source.blobs.read(hash) : variantsOf(source).read(hash, variant)
}

/** The bytes that a body names. */
export async function streamBody({ hash, variant, start, end }: BlobBody, source: BodySource): Promise<Readable> {
  const range = { start, end }
  if (variant !== undefined) return variantsOf(source).stream(hash, variant, range)
  return (await source.blobs.stream(hash, range)) as Readable
}

/**
 * The file of a body, opened, for who hands it to the kernel; undefined where blobs are no files. Rejects with
 * MAKI_BLOB_MISSING, or with MAKI_STORE_DAMAGED where it is shorter than it should be.
 */
export async function openBody(body: BlobBody, source: BodySource): Promise<FileHandle | undefined> {
  const { hash, variant, end } = body
  const path = variant === undefined ? source.blobs.path?.(hash) : variantsOf(source).path(hash, variant)
  if (path === undefined) return undefined
  let file: FileHandle | undefined
  try {
    file = await open(path, 'r')
    const { size } = await file.stat()
    const isRight = variant !== undefined ? size === variant.sizeBytes : body.whole ? size === end : size >= end
    if (isRight) return file
  } catch (cause) {
    await file?.close()
    if (variant !== undefined) throw variantsOf(source).lost(hash, variant, cause)
    throw new MakiError('MAKI_BLOB_MISSING', `the blob ${hash} cannot be opened`, { cause })
  }
  await file.close()
  throw variant !== undefined ? variantsOf(source).lost(hash, variant) : wrongLength(`the blob ${hash}`, end)
}

function variantsOf({ variants }: BodySource): VariantReader {
  if (variants !== undefined) return variants
  throw new MakiError('MAKI_INTERNAL', 'an answer names an encoding where there are none')
}
