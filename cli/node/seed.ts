import { readFile } from 'node:fs/promises'
import { asMakiError, MakiError } from '../../core/index.ts'
import { parseOperationBatch } from '../../edge/index.ts'
import { hasErrno } from '../client/identity.ts'
import { SEED_LIMITS } from '../client/pack-seed.ts'

/**
 * The operations that a new node is given when it is set up, so that it knows its cluster and can show others why it
 * belongs: a MessagePack array of operations. Empty where there is no such file.
 */
export async function readSeed(path: string): Promise<readonly Uint8Array[]> {
  try {
    return parseOperationBatch(await readFile(path), SEED_LIMITS.operations)
  } catch (cause) {
    if (hasErrno(cause, 'ENOENT')) return []
    throw new MakiError('MAKI_CONFIG', `${path} cannot be used: ${asMakiError(cause).message}`, {
      cause,
      hint: 'Set the node up again, or copy the file from the laptop that did.',
    })
  }
}
