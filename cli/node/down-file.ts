import { readFile } from 'node:fs/promises'
import * as v from 'valibot'
import type { AddressFamily, AddressVerdict, Log, MemberKey, NodeStanding } from '../../core/index.ts'
import { replaceFile } from '../../replication/index.ts'

/** An address that was down. */
export interface DownAddress {
  readonly key: MemberKey
  readonly family: AddressFamily
  readonly address: string
}

/** Of more nobody has nodes; who writes the file is us. */
const MAX_DOWN = 10_000
const entrySchema = v.object({
  key: v.custom<MemberKey>((input) => typeof input === 'string'),
  family: v.picklist(['ipv4', 'ipv6']),
  address: v.string(),
})
const fileSchema = v.object({ version: v.literal(1), down: v.pipe(v.array(entrySchema), v.maxLength(MAX_DOWN)) })

/**
 * Keeps which addresses this node held for down, in one JSON file: a node that starts again need not send visitors to them until
 * it has seen or heard anew. Saves that are asked for while one runs become one: the last.
 */
export class DownFile implements AsyncDisposable {
  readonly #path: string
  readonly #log: Log
  #wanted: readonly DownAddress[] | undefined
  #writing: Promise<void> | undefined

  constructor(path: string, log: Log) {
    this.#path = path
    this.#log = log
  }

  /** What was saved last; nothing where there is no such file, or it holds something else: all of it is found out again. */
  async load(): Promise<readonly DownAddress[]> {
    try {
      return v.parse(fileSchema, JSON.parse(await readFile(this.#path, 'utf8'))).down
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT'))
        this.#log.warn('health.file-unreadable', { error })
      return []
    }
  }

  /** Saves soon. A failure is logged, not thrown. */
  save(down: readonly DownAddress[]): void {
    this.#wanted = down
    this.#writing ??= this.#write()
  }

  /** Resolves when all saves that were asked for are done. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing
  }

  async #write(): Promise<void> {
    await Promise.resolve()
    while (this.#wanted !== undefined) {
      const down = this.#wanted
      this.#wanted = undefined
      try {
        await replaceFile(this.#path, `${JSON.stringify({ version: 1, down })}\n`)
      } catch (error) {
        this.#log.error('health.save-failed', { error })
      }
    }
    this.#writing = undefined
  }
}

const REMEMBERED = 'it was down when this node stopped, and nothing has been seen of it since'

/** Verdicts in which what nobody has seen anything of yet, and was down, is so still. */
export function recallDown(
  verdicts: readonly AddressVerdict[],
  down: readonly DownAddress[],
): readonly AddressVerdict[] {
  if (down.length === 0) return verdicts
  const known = new Set(down.map(idOf))
  return verdicts.map((verdict) =>
    verdict.basis === 'nobody' && verdict.service === 'web' && known.has(idOf(verdict))
      ? { ...verdict, standing: 'down', reason: REMEMBERED }
      : verdict,
  )
}

/** What visitors are kept from. */
export const listDown = (verdicts: readonly AddressVerdict[], self: MemberKey): readonly DownAddress[] =>
  verdicts.flatMap(({ key, family, address, service, standing }) =>
    service === 'web' && standing === 'down' && key !== self ? [{ key, family, address }] : [],
  )

/** What DNS is told until there are verdicts. */
export function downStandings(down: readonly DownAddress[]): [MemberKey, NodeStanding][] {
  const standings = new Map<MemberKey, NodeStanding>()
  for (const { key, family } of down)
    standings.set(key, { ipv4: 'up', ipv6: 'up', behind: false, ...standings.get(key), [family]: 'down' })
  return [...standings]
}

const idOf = ({ key, family, address }: DownAddress): string => `${key} ${family} ${address}`
