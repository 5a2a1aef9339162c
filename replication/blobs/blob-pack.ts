import { createHash, type Hash } from 'node:crypto'
import { type BlobHash, hashBlob, ID_BYTES, MakiError } from '../../core/index.ts'

/**
 * A pack is many blobs in one stream: for each its 32-byte hash, its size as 8 bytes big-endian, its bytes; nothing
 * before, between or after. An empty stream is the pack of nothing. Whoever carries the stream frames it, because a
 * pack that is cut between two blobs is still a pack.
 */
const HEADER_BYTES = ID_BYTES + 8

/** Up to here a blob is handed over whole, checked, and written in one call; a larger one is streamed. */
export const SMALL_BLOB_BYTES = 1024 * 1024
/** Small enough to stay in the cache, large enough that a system call each does not count. */
const COALESCE_BYTES = 128 * 1024

export interface PackItem {
  readonly hash: BlobHash
  readonly sizeBytes: number
  readonly chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

/**
 * The bytes of a pack, in chunks of about 128 KiB. Throws MAKI_CONFLICT when an item has other than the announced
 * number of bytes (a file that changed while it was read); does not check hashes, the receiver does.
 */
export async function* encodePack(items: AsyncIterable<PackItem> | Iterable<PackItem>): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = []
  let partBytes = 0
  const flush = (): Uint8Array => {
    const joined = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts, partBytes)
    parts = []
    partBytes = 0
    return joined
  }
  for await (const item of items) {
    const header = Buffer.allocUnsafe(HEADER_BYTES)
    header.write(item.hash, 0, 'hex')
    header.writeBigUInt64BE(BigInt(item.sizeBytes), ID_BYTES)
    parts.push(header)
    partBytes += header.length
    let seenBytes = 0
    for await (const chunk of item.chunks) {
      seenBytes += chunk.length
      if (seenBytes > item.sizeBytes) throw changedSize(item)
      parts.push(chunk)
      partBytes += chunk.length
      if (partBytes >= COALESCE_BYTES) yield flush()
    }
    if (seenBytes !== item.sizeBytes) throw changedSize(item)
  }
  if (partBytes > 0) yield flush()
}

export type PackPart =
  /** A small blob, whole and checked. The bytes may lie in the chunk that was pushed. */
  | { readonly kind: 'blob'; readonly hash: BlobHash; readonly bytes: Uint8Array }
  /** A blob over SMALL_BLOB_BYTES starts; `data` parts follow, then `end`. */
  | { readonly kind: 'begin'; readonly hash: BlobHash; readonly sizeBytes: number }
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  /** The blob that began is whole and its hash is right. */
  | { readonly kind: 'end'; readonly hash: BlobHash }

export interface PackLimits {
  readonly maxBlobBytes: number
  /** Sum of the sizes of all blobs. */
  readonly maxTotalBytes?: number
  readonly maxBlobs?: number
  /** Sees each header before any byte of the blob is taken; throws to refuse the pack. */
  readonly accept?: (hash: BlobHash, sizeBytes: number) => void
}

/**
 * Reads a pack from chunks cut anywhere; no more than one small blob is held. Throws MAKI_BLOB_MISMATCH where bytes
 * are not what their hash says, MAKI_TOO_LARGE beyond a limit, MAKI_PROTOCOL when the stream ends inside a blob. After an error the
 * parser is done with.
 */
export class PackParser {
  readonly #limits: PackLimits
  readonly #header = Buffer.alloc(HEADER_BYTES)
  #headerBytes = 0
  #body: Body | undefined
  #blobs = 0
  #totalBytes = 0

  constructor(limits: PackLimits) {
    this.#limits = limits
  }

  /** Blobs that were read whole. */
  get blobs(): number {
    return this.#blobs
  }

  /** The parts that end in or run through this chunk; to be iterated to its end before the next push. */
  *push(chunk: Uint8Array): Generator<PackPart> {
    let at = 0
    while (at < chunk.length || this.#body?.missingBytes === 0) {
      if (this.#body === undefined) {
        const taken = Math.min(HEADER_BYTES - this.#headerBytes, chunk.length - at)
        this.#header.set(chunk.subarray(at, at + taken), this.#headerBytes)
        this.#headerBytes += taken
        at += taken
        if (this.#headerBytes < HEADER_BYTES) return
        const body = this.#begin()
        if (body.kind === 'large') yield { kind: 'begin', hash: body.hash, sizeBytes: body.missingBytes }
        continue
      }
      const body = this.#body
      const piece = chunk.subarray(at, at + Math.min(body.missingBytes, chunk.length - at))
      at += piece.length
      yield* this.#take(body, piece)
    }
  }

  /** Call it when the stream has ended. */
  finish(): void {
    if (this.#headerBytes !== 0 || this.#body !== undefined)
      throw new MakiError('MAKI_PROTOCOL', 'the pack ends in the middle of a blob')
  }

  #begin(): Body {
    const hash = this.#header.toString('hex', 0, ID_BYTES) as BlobHash
    const size = this.#header.readBigUInt64BE(ID_BYTES)
    this.#headerBytes = 0
    const { maxBlobBytes, maxTotalBytes, maxBlobs, accept } = this.#limits
    if (size > BigInt(maxBlobBytes)) throw tooLarge(`blob ${hash} has ${size} bytes, ${maxBlobBytes} are allowed`)
    const sizeBytes = Number(size)
    this.#totalBytes += sizeBytes
    if (maxTotalBytes !== undefined && this.#totalBytes > maxTotalBytes)
      throw tooLarge(`the pack has more than ${maxTotalBytes} bytes`)
    if (maxBlobs !== undefined && this.#blobs >= maxBlobs) throw tooLarge(`the pack has more than ${maxBlobs} blobs`)
    accept?.(hash, sizeBytes)
    this.#body =
      sizeBytes <= SMALL_BLOB_BYTES
        ? { kind: 'small', hash, sizeBytes, missingBytes: sizeBytes, buffer: undefined }
        : { kind: 'large', hash, missingBytes: sizeBytes, hasher: createHash('sha256') }
    return this.#body
  }

  *#take(body: Body, piece: Uint8Array): Generator<PackPart> {
    body.missingBytes -= piece.length
    if (body.kind === 'large') {
      body.hasher.update(piece)
      yield { kind: 'data', bytes: piece }
      if (body.missingBytes > 0) return
      checkHash(body.hash, body.hasher.digest('hex'))
      this.#end()
      yield { kind: 'end', hash: body.hash }
      return
    }
    let bytes = piece
    if (piece.length < body.sizeBytes) {
      body.buffer ??= Buffer.allocUnsafe(body.sizeBytes)
      body.buffer.set(piece, body.sizeBytes - body.missingBytes - piece.length)
      bytes = body.buffer
    }
    if (body.missingBytes > 0) return
    checkHash(body.hash, hashBlob(bytes))
    this.#end()
    yield { kind: 'blob', hash: body.hash, bytes }
  }

  #end(): void {
    this.#body = undefined
    this.#blobs += 1
  }
}

type Body =
  | {
      readonly kind: 'small'
      readonly hash: BlobHash
      readonly sizeBytes: number
      missingBytes: number
      /** Only made when the blob lies in more than one chunk. */
      buffer: Buffer | undefined
    }
  | { readonly kind: 'large'; readonly hash: BlobHash; missingBytes: number; readonly hasher: Hash }

/** Throws MAKI_BLOB_MISMATCH unless both are the same. */
export function checkHash(expected: BlobHash, actual: string): void {
  if (expected !== actual)
    throw new MakiError('MAKI_BLOB_MISMATCH', `the bytes sent as blob ${expected} have the hash ${actual}`, {
      hint: 'The file changed while it was sent, or the sender is broken: send it again.',
    })
}

function changedSize(item: PackItem): MakiError {
  return new MakiError(
    'MAKI_CONFLICT',
    `blob ${item.hash} does not have the ${item.sizeBytes} bytes that it had before`,
    {
      hint: 'A file changed while it was read. Run the command again.',
    },
  )
}

const tooLarge = (message: string): MakiError => new MakiError('MAKI_TOO_LARGE', message)
