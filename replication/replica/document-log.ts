import { appendFile, readFile } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { replaceFile } from '../files/replace-file.ts'
import type { Place } from './document.ts'

/** `MKI1`, then the id of the store whose sequence numbers these are (26). */
const MAGIC = 'MKI1'
/** Before each batch: bytes that follow, and their CRC-32; both 4 bytes big-endian. */
const BATCH_HEADER_BYTES = 8
/** What single appends may take beside what they would together. */
const SLACK_BYTES = 64 * 1024

/** Slots of one client whose clocks, and whose sequence numbers, follow one another. */
interface Run {
  readonly client: number
  readonly clock: number
  readonly sequence: number
  length: number
}

/**
 * The document's places on disk: appended to when the last write is done, never synced. What a power cut takes from its
 * end, or a fault from anywhere in it, costs a sync with a peer and nothing else.
 */
export class DocumentLog {
  readonly #path: string
  #waiting: Place[] = []
  #writing: Promise<void> | undefined
  readonly #onFailed: (error: unknown) => void
  #failed = false

  private constructor(path: string, failed: (error: unknown) => void) {
    this.#path = path
    this.#onFailed = failed
  }

  /**
   * Opens the log after `restore` took each place that it holds; what it refuses is forgotten. Of another store, or
   * damaged at its start, it was not `found`. `failed` is called once when nothing can be written any more. Throws what
   * the disk does.
   */
  static async open(
    path: string,
    storeId: string,
    restore: (place: Place) => boolean,
    failed: (error: unknown) => void,
  ): Promise<{ readonly log: DocumentLog; readonly found: boolean }> {
    const header = Buffer.from(MAGIC + storeId)
    const content = await readFile(path).catch(() => Buffer.alloc(0))
    const found = content.subarray(0, header.length).equals(header)
    const kept: Run[] = []
    let length = found ? header.length : 0
    for (const batch of found ? readBatches(content.subarray(header.length)) : []) {
      let isWhole = true
      for (const place of placesIn(batch.runs)) {
        if (restore(place)) addPlace(kept, place)
        else isWhole = false
      }
      if (isWhole) length += batch.sizeBytes
    }
    const packed = Buffer.concat([header, encodeBatch(kept)])
    // Written anew when there is something else in it, or much more than needs to be.
    if (length < content.length || length > 2 * packed.length + SLACK_BYTES || !found) await replaceFile(path, packed)
    return { log: new DocumentLog(path, failed), found }
  }

  /** Lets places follow those before, in the background. */
  append(places: readonly Place[]): void {
    if (this.#failed || places.length === 0) return
    for (const place of places) this.#waiting.push(place)
    this.#writing ??= this.#write()
  }

  /** Resolves when all is written that was given. Nothing stays open. */
  async idle(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
  }

  async #write(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const runs: Run[] = []
        for (const place of this.#waiting.splice(0)) addPlace(runs, place)
        await appendFile(this.#path, encodeBatch(runs))
      }
    } catch (error) {
      // What came after would not follow what is there.
      this.#failed = true
      this.#waiting = []
      this.#onFailed(error)
    } finally {
      this.#writing = undefined
    }
  }
}

function addPlace(runs: Run[], { client, clock, sequence }: Place): void {
  const last = runs.at(-1)
  const follows =
    last?.client === client && last.clock + last.length === clock && last.sequence + last.length === sequence
  if (follows) last.length++
  else runs.push({ client, clock, sequence, length: 1 })
}

function encodeBatch(runs: readonly Run[]): Uint8Array {
  const encoder = encoding.createEncoder()
  for (const { client, clock, sequence, length } of runs)
    for (const number of [client, clock, sequence, length]) encoding.writeVarUint(encoder, number)
  const body = encoding.toUint8Array(encoder)
  const batch = new Uint8Array(BATCH_HEADER_BYTES + body.length)
  const view = new DataView(batch.buffer)
  view.setUint32(0, body.length)
  view.setUint32(4, crc32(body))
  batch.set(body, BATCH_HEADER_BYTES)
  return batch
}

function* placesIn(runs: readonly Run[]): Generator<Place, void, void> {
  for (const { client, clock, sequence, length } of runs)
    for (let i = 0; i < length; i++) yield { client, clock: clock + i, sequence: sequence + i }
}

/** Up to the first batch that is not what was written. */
function* readBatches(content: Buffer): Generator<{ readonly runs: readonly Run[]; readonly sizeBytes: number }> {
  for (let at = 0; at + BATCH_HEADER_BYTES <= content.length; ) {
    const sizeBytes = BATCH_HEADER_BYTES + content.readUInt32BE(at)
    const body = content.subarray(at + BATCH_HEADER_BYTES, at + sizeBytes)
    if (at + sizeBytes > content.length || crc32(body) !== content.readUInt32BE(at + 4)) return
    const runs: Run[] = []
    const decoder = decoding.createDecoder(body)
    while (decoding.hasContent(decoder)) {
      const [client, clock, sequence, length] = [0, 0, 0, 0].map(() => decoding.readVarUint(decoder))
      runs.push({ client, clock, sequence, length } as Run)
    }
    yield { runs, sizeBytes }
    at += sizeBytes
  }
}
