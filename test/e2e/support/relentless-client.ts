import { setTimeout as pause } from 'node:timers/promises'

/** What a client met so far. */
export interface Met {
  answers: number
  /** Connections, or requests on one, that did not end in an answer: why. */
  readonly failures: string[]
}

/** Does the same again and again as fast as it is answered, or with a pause after each answer, until stopped. */
export abstract class RelentlessClient {
  /** So that many of them leave the machine to those whom they ask. */
  protected pauseMs = 0
  readonly met: Met = { answers: 0, failures: [] }
  #ended: Promise<void> | undefined
  #isStopped = false
  #heard: (() => void)[] = []

  /** One round: says `answered` for each answer, and throws where one does not come. */
  protected abstract converse(): Promise<void>

  protected get isStopped(): boolean {
    return this.#isStopped
  }

  /** Called once, by who knows how to converse by then. */
  protected begin(): void {
    this.#ended ??= this.#run()
  }

  protected async answered(): Promise<void> {
    this.met.answers++
    this.#tell()
    if (this.pauseMs > 0) await pause(this.pauseMs)
  }

  /** Resolves when so many more answers have come. */
  async moreAnswers(count: number): Promise<void> {
    const wanted = this.met.answers + count
    while (this.met.answers < wanted && !this.#isStopped) await new Promise<void>((done) => this.#heard.push(done))
  }

  async stop(): Promise<Met> {
    this.#isStopped = true
    await this.#ended
    return this.met
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        await this.converse()
      } catch (error) {
        this.met.failures.push(error instanceof Error ? error.message : String(error))
        // A port that refuses must not be hammered by a loop that never lets others run.
        await new Promise((done) => setImmediate(done))
      }
    }
    this.#tell()
  }

  #tell(): void {
    for (const tell of this.#heard.splice(0)) tell()
  }
}
