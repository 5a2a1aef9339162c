import type { Runtime } from '../../../core/index.ts'

const SECOND_MS = 1000

/** The Date of answers (RFC 9110 section 6.6.1), made once a second. */
export class DateClock {
  /** Changes with every second. */
  tick = 0
  /** 29 bytes, always. */
  text: string
  bytes: Buffer
  readonly #runtime: Pick<Runtime, 'now' | 'after'>
  #cancel = () => {}

  constructor(runtime: Pick<Runtime, 'now' | 'after'>) {
    this.#runtime = runtime
    this.text = formatDate(runtime.now())
    this.bytes = Buffer.from(this.text, 'latin1')
    this.#wait()
  }

  stop(): void {
    this.#cancel()
  }

  #wait(): void {
    const untilNext = SECOND_MS - (this.#runtime.now() % SECOND_MS)
    this.#cancel = this.#runtime.after(untilNext, () => {
      this.tick++
      this.text = formatDate(this.#runtime.now())
      this.bytes = Buffer.from(this.text, 'latin1')
      this.#wait()
    })
  }
}

const formatDate = (nowMs: number): string => new Date(nowMs).toUTCString()
