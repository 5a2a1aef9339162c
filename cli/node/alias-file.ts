import { readFile } from 'node:fs/promises'
import * as v from 'valibot'
import type { Log } from '../../core/index.ts'
import { ALIAS_TTL, type AliasEntry, isPublicAddress, MAX_ALIAS_ADDRESSES } from '../../dns/index.ts'
import { replaceFile } from '../../replication/index.ts'

const time = v.pipe(v.number(), v.finite())
const addresses = v.pipe(
  v.array(v.pipe(v.string(), v.check(isPublicAddress, 'a public address is expected'))),
  v.maxLength(MAX_ALIAS_ADDRESSES),
)
const entrySchema = v.object({
  target: v.pipe(v.string(), v.maxLength(253)),
  ipv4: addresses,
  ipv6: addresses,
  ttl: v.pipe(v.number(), v.integer(), v.minValue(ALIAS_TTL.min), v.maxValue(ALIAS_TTL.max)),
  resolvedMs: v.nullable(time),
  noneSinceMs: v.nullable(time),
  failing: v.nullable(v.object({ sinceMs: time, reason: v.string(), attempts: v.pipe(v.number(), v.minValue(1)) })),
  refused: v.array(v.string()),
})
const fileSchema = v.object({ version: v.literal(1), entries: v.array(entrySchema) })

/**
 * Keeps what the targets of ALIAS records resolved to, in one JSON file, so that a node that starts without a network
 * still answers. Saves that are asked for while one runs become one: the last.
 */
export class AliasFile {
  readonly #path: string
  readonly #log: Log
  #wanted: readonly AliasEntry[] | undefined
  #writing: Promise<void> | undefined

  constructor(path: string, log: Log) {
    this.#path = path
    this.#log = log
  }

  /** What was saved last; nothing where there is no such file, or it holds something else: all of it can be asked again. */
  async load(): Promise<readonly AliasEntry[]> {
    try {
      return v.parse(fileSchema, JSON.parse(await readFile(this.#path, 'utf8'))).entries
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT'))
        this.#log.warn('alias.file-unreadable', { error })
      return []
    }
  }

  /** Saves soon. A failure is logged, not thrown. */
  save(entries: readonly AliasEntry[]): void {
    this.#wanted = entries
    this.#writing ??= this.#write()
  }

  /** Resolves when all saves that were asked for are done. */
  async settled(): Promise<void> {
    await this.#writing
  }

  async #write(): Promise<void> {
    await Promise.resolve()
    while (this.#wanted !== undefined) {
      const entries = this.#wanted
      this.#wanted = undefined
      try {
        await replaceFile(this.#path, `${JSON.stringify({ version: 1, entries })}\n`)
      } catch (error) {
        this.#log.error('alias.save-failed', { error })
      }
    }
    this.#writing = undefined
  }
}
