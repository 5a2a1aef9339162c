import { crc32 } from 'node:zlib'
import { decodeMessage, encodeCanonical } from '../../../core/index.ts'
import type { Inode } from './disk.ts'
import { virtualPromises } from './files.ts'
import { findProcess, type ProcessLife } from './process-life.ts'

type Pair = readonly [Uint8Array, Uint8Array]
interface Put {
  readonly key: Uint8Array
  readonly value: Uint8Array
}
interface Range {
  readonly gte?: Uint8Array
  readonly lt?: Uint8Array
  readonly limit?: number
}

/** What Level calls an iterator, as far as it is used. */
interface Cursor<T> extends AsyncDisposable {
  next(): Promise<T | undefined>
  nextv(count: number): Promise<T[]>
  all(): Promise<T[]>
  [Symbol.asyncIterator](): AsyncIterator<T>
  close(): Promise<void>
}

const HEADER_BYTES = 8
const LOG = '000001.log'

/**
 * Level on a simulated disk, as far as the store uses it. Behaves as the real one was seen to (findings/core.md, e9): a
 * batch is whole or not there; a torn end is no error; of a log with an altered record that record, and those behind it,
 * are silently gone; of a table the altered bytes are handed out; a missing `CURRENT` opens as empty.
 */
export class VirtualLevel implements AsyncDisposable {
  readonly #location: string
  #pairs = new Map<string, Pair>()
  #log: Inode | undefined
  #sorted: Pair[] | undefined

  constructor(location: string) {
    this.#location = location
  }

  /** Writes anew what can be read; here that changes nothing. */
  static async repair(): Promise<void> {}

  async open(options: { createIfMissing?: boolean } = {}): Promise<void> {
    const { life, path } = this.#where()
    const current = `${path}/CURRENT`
    await virtualPromises.mkdir(this.#location)
    if (locksOf(life).has(path)) throw levelError('LEVEL_LOCKED', 'lock: already held by process')
    if (life.disk.find(current) === undefined) {
      if (options.createIfMissing === false)
        throw levelError('LEVEL_DATABASE_NOT_OPEN', 'does not exist (create_if_missing is false)')
      await virtualPromises.rm(`${this.#location}/${LOG}`, { force: true })
      await virtualPromises.writeFile(`${this.#location}/${LOG}`, '')
      await virtualPromises.writeFile(`${this.#location}/CURRENT`, 'MANIFEST-000001\n', { flush: true })
      await (await virtualPromises.open(this.#location)).sync()
    }
    locksOf(life).add(path)
    this.#log = life.disk.find(`${path}/${LOG}`) ?? life.disk.create(`${path}/${LOG}`)
    this.#load(this.#log.bytes)
  }

  async close(): Promise<void> {
    const { life, path } = this.#where()
    locksOf(life).delete(path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const { life } = this.#where()
    await new Promise<void>((resolve) => life.after(0.01, resolve))
    return this.#pairs.get(nameOf(key))?.[1]
  }

  put(key: Uint8Array, value: Uint8Array, options: { sync?: boolean } = {}): Promise<void> {
    return this.batch([{ key, value }], options)
  }

  async batch(puts: readonly Put[], options: { sync?: boolean } = {}): Promise<void> {
    const body = encodeCanonical(puts.map(({ key, value }) => [new Uint8Array(key), new Uint8Array(value)]))
    const entry = Buffer.alloc(HEADER_BYTES + body.length)
    entry.writeUInt32BE(body.length)
    entry.writeUInt32BE(crc32(body), 4)
    entry.set(body, HEADER_BYTES)
    const { life, path } = this.#where()
    const file = await virtualPromises.open(`${this.#location}/${LOG}`, 'a')
    try {
      await file.write(entry)
      if (options.sync === true) await file.sync()
    } catch (cause) {
      throw levelError('LEVEL_IO_ERROR', `IO error: ${path}: ${cause instanceof Error ? cause.message : ''}`)
    }
    if (life.alive) for (const { key, value } of puts) this.#put([new Uint8Array(key), new Uint8Array(value)])
  }

  iterator(range: Range = {}): Cursor<Pair> {
    return this.#cursor(range, (pair) => pair)
  }

  values(range: Range = {}): Cursor<Uint8Array> {
    return this.#cursor(range, ([, value]) => value)
  }

  keys(range: Range = {}): Cursor<Uint8Array> {
    return this.#cursor(range, ([key]) => key)
  }

  #cursor<T>(range: Range, pick: (pair: Pair) => T): Cursor<T> {
    const items = this.#select(range).map(pick)
    let at = 0
    const wait = () => this.get(new Uint8Array(0))
    return {
      next: async () => items[at++],
      nextv: async (count) => {
        await wait()
        at += count
        return items.slice(at - count, at)
      },
      all: async () => {
        await wait()
        return items.slice(at)
      },
      async *[Symbol.asyncIterator]() {
        await wait()
        yield* items.slice(at)
      },
      close: async () => {},
      [Symbol.asyncDispose]: async () => {},
    }
  }

  #where() {
    return findProcess(this.#location) as NonNullable<ReturnType<typeof findProcess>>
  }

  #put(pair: Pair): void {
    this.#pairs.set(nameOf(pair[0]), pair)
    this.#sorted = undefined
  }

  #select({ gte, lt, limit }: Range): Pair[] {
    this.#sorted ??= [...this.#pairs.values()].sort((a, b) => Buffer.compare(a[0], b[0]))
    return this.#sorted
      .filter(
        ([key]) =>
          (gte === undefined || Buffer.compare(key, gte) >= 0) && (lt === undefined || Buffer.compare(key, lt) < 0),
      )
      .slice(0, limit)
  }

  #load(bytes: Buffer): void {
    const { life } = this.#where()
    // Which of the two a record lies in is Level's own affair, and changes with time.
    const isTable = life.scheduler.random.chance(0.5)
    let at = 0
    while (at + HEADER_BYTES <= bytes.length) {
      const length = bytes.readUInt32BE(at)
      const body = bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length)
      if (body.length < length) return
      const intact = crc32(body) === bytes.readUInt32BE(at + 4)
      if (!intact && !isTable) return
      at += HEADER_BYTES + length
      try {
        for (const [key, value] of decodeMessage(body) as [Uint8Array, Uint8Array][])
          this.#put([new Uint8Array(key), new Uint8Array(value)])
      } catch {
        // Not even the shape is left of it.
      }
    }
  }
}

/** Held locks; a process that died holds none. */
const locks = new WeakMap<ProcessLife, Set<string>>()

function locksOf(life: ProcessLife): Set<string> {
  const held = locks.get(life) ?? new Set<string>()
  locks.set(life, held)
  return held
}

const nameOf = (key: Uint8Array) => Buffer.from(key).toString('latin1')
const levelError = (code: string, message: string) => Object.assign(new Error(message), { code })
