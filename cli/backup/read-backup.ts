import { createReadStream } from 'node:fs'
import { resolve } from 'node:path'
import { createZstdDecompress } from 'node:zlib'
import { type BlobHash, isBlobHash, MakiError } from '../../core/index.ts'
import { readTarStream, type StreamedFile } from '../archive/index.ts'
import { type BackupHead, damaged, readBlobList, readHead } from './backup-file.ts'

/** What stands at the beginning of a backup. */
export interface BackupStart {
  readonly head: BackupHead
  /** Text of a profile. */
  readonly profile: string
  readonly blobs: readonly BlobHash[]
}

/** A part of a backup, in its order. Chunks of a file are to be read before the next part is asked for, or left. */
export type BackupPart =
  | { readonly kind: 'start'; readonly start: BackupStart }
  | { readonly kind: 'operation'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'blob'
      readonly hash: BlobHash
      readonly sizeBytes: number
      readonly chunks: AsyncIterable<Uint8Array>
    }

const MAX_TEXT_BYTES = 1024 * 1024
const MAX_LIST_BYTES = 256 * 1024 * 1024
/** Far more than nodes take. */
const MAX_OPERATION_BYTES = 16 * 1024 * 1024

/**
 * Reads a backup from its beginning. Whatever it says, nothing is written anywhere by its names: what has another name than a part of a
 * backup is refused. Throws MAKI_NOT_FOUND, and MAKI_INVALID for what is none, is damaged, or ends before its end.
 */
export async function* readBackup(path: string): AsyncGenerator<BackupPart, void, void> {
  const file = resolve(path)
  const source = createReadStream(file)
  const unpacked = createZstdDecompress()
  source.on('error', (error) => unpacked.destroy(error))
  source.pipe(unpacked)
  try {
    for await (const part of readParts(readTarStream(unpacked)))
      yield part.kind === 'blob' ? { ...part, chunks: explained(part.chunks, file) } : part
  } catch (thrown) {
    throw explain(thrown, file)
  } finally {
    source.destroy()
    unpacked.destroy()
  }
}

/** Whoever reads the chunks is told as whoever asks for parts. */
async function* explained(chunks: AsyncIterable<Uint8Array>, file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks
  } catch (thrown) {
    throw explain(thrown, file)
  }
}

function explain(thrown: unknown, file: string): MakiError {
  if (thrown instanceof MakiError) return thrown
  const { code, message } = thrown as NodeJS.ErrnoException
  const because = { cause: thrown, hint: 'Give the file that maki backup made.' }
  if (code === 'ENOENT') return new MakiError('MAKI_NOT_FOUND', `there is no file ${file}`, because)
  if (code === 'EISDIR') return new MakiError('MAKI_USAGE', `${file} cannot be read: it is a folder`, because)
  if (code === 'EACCES') return new MakiError('MAKI_USAGE', `${file} may not be read`, because)
  return damaged(code?.startsWith('Z') === true ? 'it cannot be unpacked' : message, thrown)
}

async function* readParts(files: AsyncGenerator<StreamedFile>): AsyncGenerator<BackupPart> {
  const next = async (path: string, mostBytes: number): Promise<string> => {
    const { value } = await files.next()
    if (value?.path !== path) throw damaged(`it has no ${path} where that belongs`)
    return Buffer.from(await readWhole(value, mostBytes)).toString('utf8')
  }
  const head = readHead(await next('backup.json', MAX_TEXT_BYTES))
  await next('README.txt', MAX_TEXT_BYTES)
  const profile = await next('profile.toml', MAX_TEXT_BYTES)
  const blobs = readBlobList(await next('blobs.txt', MAX_LIST_BYTES))
  yield { kind: 'start', start: { head, profile, blobs } }
  const listed = new Set(blobs)
  let operations = 0
  for await (const file of files) {
    if (operations < head.operations && file.path === `operations/${String(operations + 1).padStart(8, '0')}`) {
      operations++
      yield { kind: 'operation', bytes: await readWhole(file, MAX_OPERATION_BYTES) }
      continue
    }
    const hash = /^blobs\/([0-9a-f]+)$/.exec(file.path)?.[1] ?? ''
    if (operations < head.operations || !isBlobHash(hash) || !listed.delete(hash))
      throw damaged(`it has ${JSON.stringify(file.path.slice(0, 200))}, which does not belong there`)
    yield { kind: 'blob', hash, sizeBytes: file.sizeBytes, chunks: file.chunks }
  }
  if (operations < head.operations || listed.size > 0) throw damaged('it ends before its end')
}

async function readWhole({ path, sizeBytes, chunks }: StreamedFile, mostBytes: number): Promise<Uint8Array> {
  if (sizeBytes > mostBytes) throw damaged(`its ${path} is too large`)
  const parts: Uint8Array[] = []
  for await (const chunk of chunks) parts.push(chunk)
  return Buffer.concat(parts)
}
