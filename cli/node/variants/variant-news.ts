import type { Cancel, Runtime } from '../../../core/index.ts'
import { encodeVariantRecords, type VariantRecord } from '../../../edge/index.ts'

/** Workers look again at what they remember of answers each time that they are told something. */
const ANNOUNCE_MS = 1000

/** Gathers what comes and goes, and tells it together. */
export class VariantNews {
  readonly #announce: (records: Uint8Array) => void
  readonly #runtime: Pick<Runtime, 'after'>
  #news: VariantRecord[] = []
  #cancel: Cancel | undefined

  constructor(announce: (records: Uint8Array) => void, runtime: Pick<Runtime, 'after'>) {
    this.#announce = announce
    this.#runtime = runtime
  }

  add(record: VariantRecord): void {
    this.#news.push(record)
    this.#cancel ??= this.#runtime.after(ANNOUNCE_MS, () => {
      this.#cancel = undefined
      this.#announce(encodeVariantRecords(this.#news, this.#news.length))
      this.#news = []
    })
  }

  /** What was not told yet never is. */
  close(): void {
    this.#cancel?.()
  }
}
