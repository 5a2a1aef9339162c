import { type BlobReader, type Cancel, isRuleFile, type Log, type Manifest, type Runtime } from '../../core/index.ts'
import type { Answer, Ask, GuestServices, NetworkServices } from '../guest-contract/index.ts'

export interface SiteServicesOptions {
  /** Of the release: what a guest sees as its files. */
  readonly manifest: Manifest
  readonly blobs: Pick<BlobReader, 'stream'>
  /** Without one, whatever is asked of the network is `access-denied`. */
  readonly network?: NetworkServices
  readonly log: Pick<Log, 'warn'>
  readonly runtime: Pick<Runtime, 'after'>
  /** Asks about files in one run. */
  readonly maxAsks?: number
  /** Bytes of files in one run. */
  readonly maxBytes?: number
}

/** Of one answer. */
export const MAX_READ_ANSWER_BYTES = 256 * 1024
/** Names in one answer, and the bytes that they take there, which stand in the header of a frame. */
const MAX_LISTED = 256
const MAX_LISTED_BYTES = 24 * 1024
/** A function that reads a whole site of some size does not come to these; one that reads for the sake of it does. */
export const MAX_ASKS = 50_000
/** Of files, in one run. */
export const MAX_BYTES = 512 * 1024 * 1024
const MAX_WAIT_MS = 60_000

type Answering = { readonly header: Answer; readonly body?: Uint8Array }
type FileAsk = Extract<Ask, { ask: 'stat' | 'list' | 'read' }>

/**
 * What one run of a guest is offered: the files of its release, without those that rules are read from (which may hold
 * hashes of passwords), and the network. Files are looked up in the manifest, and read as blobs: no path of a guest's becomes one on
 * disk. What an ask holds is not believed: it comes out of a process that may have been taken over.
 */
export function createSiteServices(options: SiteServicesOptions): GuestServices {
  const { network, runtime } = options
  const files = new SiteFiles(options)
  const waits = new Set<() => void>()
  const sleep = async (mostMs: unknown): Promise<Answering> => {
    let cancel: Cancel = () => {}
    const { promise, resolve } = Promise.withResolvers<void>()
    waits.add(resolve)
    if (typeof mostMs === 'number' && mostMs > 0) cancel = runtime.after(Math.min(mostMs, MAX_WAIT_MS), resolve)
    else resolve()
    await promise
    cancel()
    waits.delete(resolve)
    return { header: { ready: [] } }
  }
  let isClosed = false
  return {
    async answer(ask, body) {
      if (isClosed) return { header: { error: 'io' } }
      switch (ask.ask) {
        case 'print':
          return { header: { done: true } }
        case 'stat':
        case 'list':
        case 'read':
          return await files.answer(ask)
        case 'wait':
          if (!Array.isArray(ask.for) || ask.for.length === 0) return await sleep(ask.mostMs)
          return network === undefined ? DENIED : await network.answer(ask, body)
        default:
          return network === undefined ? DENIED : await network.answer(ask, body)
      }
    },
    close() {
      if (isClosed) return
      isClosed = true
      for (const wake of waits) wake()
      network?.close()
    },
  }
}

const DENIED: Answering = { header: { error: 'access-denied' } }

class SiteFiles {
  readonly #manifest: Manifest
  readonly #blobs: Pick<BlobReader, 'stream'>
  readonly #log: Pick<Log, 'warn'>
  #asksLeft: number
  #bytesLeft: number
  #hasToldOfFailure = false

  constructor({ manifest, blobs, log, maxAsks = MAX_ASKS, maxBytes = MAX_BYTES }: SiteServicesOptions) {
    this.#manifest = manifest
    this.#blobs = blobs
    this.#log = log
    this.#asksLeft = maxAsks
    this.#bytesLeft = maxBytes
  }

  async answer(ask: FileAsk): Promise<Answering> {
    if (typeof ask.path !== 'string') return fail('invalid')
    if (this.#asksLeft <= 0 || this.#bytesLeft <= 0) return fail('quota')
    this.#asksLeft--
    switch (ask.ask) {
      case 'stat':
        return { header: this.#stat(ask.path) }
      case 'list':
        return { header: this.#list(ask.path, ask.after) }
      case 'read':
        return await this.#read(ask)
      default:
        return ask satisfies never
    }
  }

  #stat(path: string): Answer {
    const file = this.#find(path)
    if (file !== undefined) return { type: 'file', sizeBytes: file.sizeBytes, hash: file.hash }
    return this.#manifest.hasFolder(path) ? { type: 'folder' } : this.#missing(path)
  }

  #list(path: string, after: string | undefined): Answer {
    if (after !== undefined && typeof after !== 'string') return { error: 'invalid' }
    if (this.#find(path) !== undefined) return { error: 'not-directory' }
    if (!this.#manifest.hasFolder(path)) return this.#missing(path)
    const listing = this.#manifest.list(path, after, MAX_LISTED)
    const entries = listing.entries.filter(([name, type]) => type === 'folder' || !isRuleFile(name))
    let bytes = 0
    for (const [i, entry] of entries.entries()) {
      bytes += Buffer.byteLength(JSON.stringify(entry)) + 1
      if (bytes > MAX_LISTED_BYTES && i > 0) return { entries: entries.slice(0, i), more: true }
    }
    return { entries, more: listing.more }
  }

  async #read({ path, offset, length }: Extract<FileAsk, { ask: 'read' }>): Promise<Answering> {
    if (!isCount(offset) || !isCount(length)) return fail('invalid')
    const file = this.#find(path)
    if (file === undefined)
      return { header: this.#manifest.hasFolder(path) ? { error: 'is-directory' } : this.#missing(path) }
    const end = Math.min(file.sizeBytes, offset + Math.min(length, MAX_READ_ANSWER_BYTES))
    if (end <= offset) return { header: { ended: offset >= file.sizeBytes }, body: new Uint8Array(0) }
    this.#bytesLeft -= end - offset
    try {
      const body = await readRange(this.#blobs, file.hash, offset, end)
      return { header: { ended: end === file.sizeBytes }, body }
    } catch (error) {
      if (!this.#hasToldOfFailure)
        this.#log.warn('guest.file-unreadable', { path, blob: file.hash, error: String(error) })
      this.#hasToldOfFailure = true
      return fail('io')
    }
  }

  #find(path: string) {
    return isRuleFile(path) ? undefined : this.#manifest.find(path)
  }

  /** As a file system says it: below a file there is nothing that could be missing. It looks no deeper than the site goes. */
  #missing(path: string): Answer {
    for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
      const above = path.slice(0, at)
      if (this.#find(above) !== undefined) return { error: 'not-directory' }
      if (!this.#manifest.hasFolder(above)) break
    }
    return { error: 'no-entry' }
  }
}

async function readRange(
  blobs: Pick<BlobReader, 'stream'>,
  hash: Parameters<BlobReader['stream']>[0],
  start: number,
  end: number,
): Promise<Uint8Array> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of await blobs.stream(hash, { start, end })) {
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece
    length += bytes.length
    pieces.push(bytes)
  }
  if (length !== end - start) throw new RangeError(`the blob gave ${length} bytes of ${end - start}`)
  return Buffer.concat(pieces, length)
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0

const fail = (error: string): Answering => ({ header: { error } })
