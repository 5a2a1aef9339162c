import { constants } from 'node:fs'
import { type FileHandle, open, rm, stat } from 'node:fs/promises'
import type { Cancel, Log, Runtime } from '../../core/index.ts'

/** How often what was said is looked at. */
const LOOK_EVERY_MS = 5_000
/** A file of more than this begins anew when all of it was read. */
const KEEP_BYTES = 64 * 1024
/** No more is read at a time; of what a program said beyond that only the end is told. */
const READ_BYTES = 64 * 1024
const LAST_LINES = 5

/**
 * What a program that outlives us says: a file that it appends to, in a folder of memory. No pipe, since a program of Go is
 * killed by writing to one that nobody reads any more.
 */
export class ProgramLog implements AsyncDisposable {
  /** For the program's standard output and standard error. */
  readonly fd: number
  readonly #path: string
  readonly #file: FileHandle
  readonly #runtime: Pick<Runtime, 'after'>
  readonly #log: Log
  #read = 0
  #rest = ''
  #last: string[] = []
  #cancel: Cancel = () => {}
  #reading: Promise<void> = Promise.resolve()

  private constructor(path: string, file: FileHandle, { runtime, log }: { runtime: Pick<Runtime, 'after'>; log: Log }) {
    this.#path = path
    this.#file = file
    this.fd = file.fd
    this.#runtime = runtime
    this.#log = log
    this.#wait()
  }

  /** Opens the file of a program; `fresh` forgets what an earlier one said. Rejects as open(2). */
  static async open(
    path: string,
    options: { readonly fresh: boolean; readonly runtime: Pick<Runtime, 'after'>; readonly log: Log },
  ): Promise<ProgramLog> {
    if (options.fresh) await rm(path, { force: true })
    const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW } = constants
    return new ProgramLog(path, await open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600), options)
  }

  /** The last lines that it said. */
  async last(): Promise<readonly string[]> {
    await this.#look()
    return this.#last
  }

  /** Takes the file away, unless a later program has begun another there. */
  async remove(): Promise<void> {
    const there = await stat(this.#path).catch(() => undefined)
    if (there?.ino === (await this.#file.stat()).ino) await rm(this.#path, { force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel()
    await this.#look()
    this.#cancel()
    await this.#file.close()
  }

  #wait(): void {
    this.#cancel = this.#runtime.after(LOOK_EVERY_MS, () => {
      void this.#look()
      this.#wait()
    })
  }

  #look(): Promise<void> {
    this.#reading = this.#reading.then(() => this.#take()).catch(() => {})
    return this.#reading
  }

  async #take(): Promise<void> {
    const { size } = await this.#file.stat()
    if (size < this.#read) this.#read = 0
    if (size - this.#read > READ_BYTES) {
      this.#read = size - READ_BYTES
      this.#rest = ''
    }
    const buffer = Buffer.alloc(size - this.#read)
    const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, this.#read)
    this.#read += bytesRead
    const lines = (this.#rest + buffer.toString('utf8', 0, bytesRead)).split('\n')
    this.#rest = lines.pop() as string
    for (const line of lines) this.#log.debug('tunnel.said', { line })
    this.#last = [...this.#last, ...lines].slice(-LAST_LINES)
    // The program appends, so that its next line is the first of the emptied file.
    if (this.#read > KEEP_BYTES) {
      await this.#file.truncate(0)
      this.#read = 0
    }
  }
}
