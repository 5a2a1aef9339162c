import { readFile, rename } from 'node:fs/promises'
import {
  isId,
  type Log,
  MakiError,
  type MergedRelease,
  type OperationId,
  type Release,
  readChange,
} from '../../core/index.ts'
import { replaceFile } from '../files/replace-file.ts'

const VERSION = 1

/**
 * Keeps which releases a node serves, in one small JSON file, so that it serves them at once after a restart. Saves
 * that are asked for while one runs become one: the last.
 */
export class ActivationFile {
  readonly #path: string
  readonly #log: Log
  #wanted: readonly Release[] | undefined
  #writing: Promise<void> | undefined

  constructor(path: string, log: Log) {
    this.#path = path
    this.#log = log
  }

  /** What was saved last. A file that cannot be read as such is set aside (`.broken`), and nothing was saved. */
  async load(): Promise<readonly Release[]> {
    let text: string
    try {
      text = await readFile(this.#path, 'utf8')
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) await this.#setAside(error)
      return []
    }
    try {
      return parseReleases(text)
    } catch (error) {
      await this.#setAside(error)
      return []
    }
  }

  /** Saves soon. A failure is logged, not thrown: the node serves on, and catches up after a restart. */
  save(releases: readonly Release[]): void {
    this.#wanted = releases
    this.#writing ??= this.#write()
  }

  /** Resolves when all saves that were asked for are done. */
  async settled(): Promise<void> {
    await this.#writing
  }

  async #write(): Promise<void> {
    // Lets the rest of a burst arrive.
    await Promise.resolve()
    while (this.#wanted !== undefined) {
      const releases = this.#wanted
      this.#wanted = undefined
      try {
        await replaceFile(this.#path, `${JSON.stringify({ version: VERSION, releases })}\n`)
      } catch (error) {
        this.#log.error('activation.save_failed', { error })
      }
    }
    // In the turn that saw nothing wanted: a moment later, what is asked for in between would be written by nobody.
    this.#writing = undefined
  }

  async #setAside(error: unknown): Promise<void> {
    this.#log.warn('activation.file_set_aside', { error })
    await rename(this.#path, `${this.#path}.broken`).catch(() => {})
  }
}

function parseReleases(text: string): Release[] {
  const value: unknown = JSON.parse(text)
  if (!isRecord(value) || value.version !== VERSION || !Array.isArray(value.releases))
    throw new MakiError('MAKI_INVALID', 'the file of active releases has another format')
  return value.releases.map(parseRelease)
}

/** A release is the change that published it, and the operation's id: what holds for the one holds for the other. */
function parseRelease(value: unknown): Release {
  if (!isRecord(value) || typeof value.id !== 'string' || !isId(value.id))
    throw new MakiError('MAKI_INVALID', 'the file of active releases holds something that is no release')
  const { id, merge, publishedMs, ...fields } = value
  const read = readChange({ ...fields, kind: 'release.publish' })
  if (!('change' in read) || read.change.kind !== 'release.publish')
    throw new MakiError(
      'MAKI_INVALID',
      `the file of active releases holds no valid release: ${'fault' in read ? read.fault : ''}`,
    )
  const { kind: _, ...change } = read.change
  const release: Release = {
    ...change,
    id: id as OperationId,
    // A date is good to have, and no reason to serve nothing.
    ...(isDate(publishedMs) ? { publishedMs } : {}),
  }
  if (merge === undefined) return release
  const merged: MergedRelease = { ...release, merge: parseMerge(merge) }
  return merged
}

function parseMerge(value: unknown): MergedRelease['merge'] {
  const isOperation = (id: unknown): id is OperationId => typeof id === 'string' && isId(id)
  if (isRecord(value) && Array.isArray(value.sides) && value.sides.every(isOperation)) {
    const { base, sides } = value
    if (base === null || isOperation(base)) return { base, sides }
  }
  throw new MakiError('MAKI_INVALID', 'the file of active releases holds a merge of something else than releases')
}

function isDate(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && !Number.isNaN(new Date(value).getTime())
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
