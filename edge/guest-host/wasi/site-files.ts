import type { ErrorCode } from '@bytecodealliance/preview2-shim/interfaces/wasi-filesystem-types'
import type { Answer } from '../../guest-contract/index.ts'
import { type InputSource, StreamFailure } from './input-stream.ts'
import { type Instance, refuseAnswer } from './instance.ts'
import { READY } from './poll.ts'

/** What lies at a path. */
export type SiteEntry =
  | { readonly type: 'file'; readonly path: string; readonly sizeBytes: number; readonly hash: string }
  | { readonly type: 'folder'; readonly path: string }

/** One page of a folder. */
export interface FolderPage {
  readonly entries: readonly (readonly [name: string, type: 'file' | 'folder'])[]
  readonly more: boolean
}

/** Of one read of a file. */
export const MAX_FILE_READ_BYTES = 256 * 1024

/** What an owner may say of a file. Anything else is `io`. */
const CODES: ReadonlySet<string> = new Set<ErrorCode>([
  'access',
  'insufficient-memory',
  'invalid',
  'io',
  'is-directory',
  'name-too-long',
  'no-entry',
  'not-directory',
  'not-permitted',
  'quota',
])

/** Throws a code of WASI's where there is nothing (`no-entry`) or it cannot be told. */
export function statEntry(instance: Instance, path: string): SiteEntry {
  const { header } = instance.ask({ ask: 'stat', path })
  if ('error' in header) throw toFileCode(header)
  if (!('type' in header)) throw refuseAnswer('stat')
  return { ...header, path }
}

/** Names after `after`. Throws a code of WASI's. */
export function listFolder(instance: Instance, path: string, after: string | undefined): FolderPage {
  const { header } = instance.ask(after === undefined ? { ask: 'list', path } : { ask: 'list', path, after })
  if ('error' in header) throw toFileCode(header)
  if (!('entries' in header)) throw refuseAnswer('list')
  return header
}

/** At most MAX_FILE_READ_BYTES, empty at the end only. Throws a code of WASI's. */
export function readFile(instance: Instance, path: string, offset: number, most: number): Uint8Array {
  const length = Math.min(most, MAX_FILE_READ_BYTES)
  const { header, body } = instance.ask({ ask: 'read', path, offset, length })
  if ('error' in header) throw toFileCode(header)
  if (!('ended' in header) || body.length > length) throw refuseAnswer('read')
  // Within the file, as who asks knows from its size: no bytes would be waited for without end.
  if (body.length === 0) throw 'io' satisfies ErrorCode
  return body
}

/** The bytes of a file from an offset on. */
export function createFileSource(
  instance: Instance,
  { path, sizeBytes }: { path: string; sizeBytes: number },
  offset: number,
): InputSource {
  let at = offset
  return {
    read(most) {
      if (at >= sizeBytes) return undefined
      try {
        const bytes = readFile(instance, path, at, Math.min(most, sizeBytes - at))
        at += bytes.length
        return bytes
      } catch (code) {
        if (typeof code !== 'string') throw code
        throw new StreamFailure({ of: 'filesystem', code: code as ErrorCode })
      }
    },
    look: () => READY,
    close() {},
  }
}

function toFileCode({ error }: Extract<Answer, { error: string }>): ErrorCode {
  return CODES.has(error) ? (error as ErrorCode) : 'io'
}
