import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BlobHash, hashBlob, type MemberKey } from '../../core/index.ts'
import type { Random } from '../support/seeds.ts'

export interface TestBlob {
  readonly hash: BlobHash
  readonly sizeBytes: number
  readonly bytes: Uint8Array
}

export function createBlob(bytes: Uint8Array): TestBlob {
  return { hash: hashBlob(bytes), sizeBytes: bytes.length, bytes }
}

/** Bytes that are quick to make and differ by seed. */
export function createBytes(random: Random, length: number): Uint8Array {
  const bytes = Buffer.alloc(length, random.integer(256))
  bytes.set(random.bytes(Math.min(length, 16)))
  return bytes
}

export const packItem = (blob: TestBlob) => ({ hash: blob.hash, sizeBytes: blob.sizeBytes, chunks: [blob.bytes] })

export async function* chunksOf(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

export async function collect(stream: AsyncIterable<Uint8Array | string> | NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

/** Cuts bytes at random places, also into empty pieces. */
export function fragment(random: Random, bytes: Uint8Array): Uint8Array[] {
  const cuts = Array.from({ length: random.integer(20) }, () => random.integer(bytes.length + 1)).sort((a, b) => a - b)
  return [...cuts, bytes.length].map((cut, i) => bytes.subarray(cuts[i - 1] ?? 0, cut))
}

/** Names of files under `blobs/` that do not hash to their name; and how many there are. */
export async function auditBlobs(directory: string): Promise<{ wrong: string[]; count: number }> {
  const wrong: string[] = []
  let count = 0
  for (const entry of await readdir(join(directory, 'blobs'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    count += 1
    const bytes = await readFile(join(entry.parentPath, entry.name))
    if (hashBlob(bytes) !== entry.name || !entry.parentPath.endsWith(entry.name.slice(0, 2))) wrong.push(entry.name)
  }
  return { wrong, count }
}

export const peerKey = (name: string): MemberKey => name.padEnd(52, 'a') as MemberKey
