/** What waits to be told at most. */
const MAX_WAITING_BYTES = 256 * 1024
/** In one message, at most, unless a line has more. */
const MAX_TOLD_BYTES = 64 * 1024

/**
 * Hands lines of a log to another process, one message at a time and without anybody waiting. Of what does not fit, since
 * the other is slow, the number of lines is told in their place.
 */
export class LogRelay {
  readonly #send: (lines: readonly string[]) => Promise<unknown>
  #waiting: string[] = []
  #waitingBytes = 0
  #lost = 0
  #isBusy = false

  /** `send` resolves when the other has the lines, or will never have them; it must not reject. */
  constructor(send: (lines: readonly string[]) => Promise<unknown>) {
    this.#send = send
  }

  tell(line: string): void {
    const bytes = Buffer.byteLength(line)
    if (this.#waitingBytes + bytes > MAX_WAITING_BYTES) {
      this.#lost++
      return
    }
    if (this.#lost > 0)
      this.#waiting.push(JSON.stringify({ level: 'warn', event: 'log.lines-lost', lines: this.#lost }))
    this.#lost = 0
    this.#waiting.push(line)
    this.#waitingBytes += bytes
    if (!this.#isBusy) void this.#run()
  }

  async #run(): Promise<void> {
    this.#isBusy = true
    while (this.#waiting.length > 0) await this.#send(this.#take())
    this.#isBusy = false
  }

  #take(): readonly string[] {
    let bytes = 0
    let count = 0
    for (const line of this.#waiting) {
      bytes += Buffer.byteLength(line)
      if (count > 0 && bytes > MAX_TOLD_BYTES) break
      count++
    }
    const taken = this.#waiting.splice(0, count)
    this.#waitingBytes = this.#waiting.reduce((sum, line) => sum + Buffer.byteLength(line), 0)
    return taken
  }
}
