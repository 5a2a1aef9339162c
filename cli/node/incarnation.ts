import { readFile } from 'node:fs/promises'
import { MakiError, type Runtime } from '../../core/index.ts'
import { replaceFile } from '../../replication/index.ts'

/**
 * A number greater than in every earlier process of this node, by which others tell a restart from a second machine with
 * the same key. Follows the clock, and goes on counting where the clock went back. Rejects with MAKI_DISK_FULL or
 * MAKI_STORE_FAILED: a process that is not told from the one before must not speak.
 */
export async function nextIncarnation(path: string, runtime: Pick<Runtime, 'now'>): Promise<number> {
  const last = Number(await readFile(path, 'utf8').catch(() => '0'))
  const next = Math.max(runtime.now(), Number.isSafeInteger(last) ? last + 1 : 0)
  try {
    await replaceFile(path, `${next}\n`)
  } catch (cause) {
    throw unwritten(path, cause)
  }
  return next
}

function unwritten(path: string, cause: unknown): MakiError {
  const isFull = FULL.has((cause as NodeJS.ErrnoException).code ?? '')
  if (isFull)
    return new MakiError('MAKI_DISK_FULL', `the disk is full: ${path} cannot be written, so the node cannot start`, {
      cause,
      hint: 'Make room on the disk that holds the data directory, then start again.',
    })
  return new MakiError('MAKI_STORE_FAILED', `${path} cannot be written, so the node cannot start`, {
    cause,
    hint: 'Check the disk and the rights of the data directory, then start again.',
  })
}

const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT'])
