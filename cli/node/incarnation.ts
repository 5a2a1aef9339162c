import { readFile } from 'node:fs/promises'
import type { Runtime } from '../../core/index.ts'
import { replaceFile } from '../../replication/index.ts'

/**
 * A number greater than in every earlier process of this node, by which others tell a restart from a second machine with
 * the same key. Follows the clock, and goes on counting where the clock went back.
 */
export async function nextIncarnation(path: string, runtime: Pick<Runtime, 'now'>): Promise<number> {
  const last = Number(await readFile(path, 'utf8').catch(() => '0'))
  const next = Math.max(runtime.now(), Number.isSafeInteger(last) ? last + 1 : 0)
  await replaceFile(path, `${next}\n`)
  return next
}
