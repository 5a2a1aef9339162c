import type { Readable } from 'node:stream'
import { type BlobReader, MakiError } from '../../core/index.ts'
import type { BlobBody } from '../respond/index.ts'
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

function variantsOf({ variants }: BodySource): VariantReader {
  if (variants !== undefined) return variants
  throw new MakiError('MAKI_INTERNAL', 'an answer names an encoding where there are none')
}
