import { readFile, rename, writeFile } from 'node:fs/promises'
import * as v from 'valibot'
import { hasErrno } from './identity.ts'

/**
 * What was exchanged with which node. The outbox follows from it: own operations of the local store after `delivered`
 * are not known to be durable anywhere else. It is written after an acknowledgement, never before, so that a crash at
 * any moment delivers an operation twice (which is nothing) and never zero times; losing the file costs a repetition.
 */
export interface ExchangeLog {
  /** Cursor of the local store: every own operation before it was acknowledged by a node. */
  readonly delivered: string | undefined
  /** Own operations after it that came from a node: the same key writes elsewhere too. */
  readonly received: readonly string[]
  /** By the machine's name, the cursor of its store up to which its operations are here. */
  readonly cursors: Readonly<Record<string, string>>
  /** Wall time of the last whole exchange. */
  readonly exchangedAtMs: number | undefined
}

const schema = v.object({
  delivered: v.optional(v.string()),
  received: v.optional(v.array(v.string()), []),
  cursors: v.record(v.string(), v.string()),
  exchangedAtMs: v.optional(v.number()),
})

export const EMPTY_EXCHANGE_LOG: ExchangeLog = {
  delivered: undefined,
  received: [],
  cursors: {},
  exchangedAtMs: undefined,
}

/** Empty where there is no file, and where it cannot be understood. */
export async function readExchangeLog(path: string): Promise<ExchangeLog> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return EMPTY_EXCHANGE_LOG
    throw error
  }
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), text)
  if (!parsed.success) return EMPTY_EXCHANGE_LOG
  const { delivered, received, cursors, exchangedAtMs } = parsed.output
  return { delivered, received, cursors, exchangedAtMs }
}

/** Not synced to disk: after a power cut it is the old one, the new one or none, which costs a repetition. */
export async function writeExchangeLog(path: string, log: ExchangeLog): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`
  await writeFile(temporary, `${JSON.stringify(log, undefined, 2)}\n`, { mode: 0o600 })
  await rename(temporary, path)
}
