import { asMakiError } from '../../core/index.ts'

/** Something that was done, and how it is undone. */
interface Deed {
  /** What is left where it cannot be undone, for people. */
  readonly left: string
  readonly undo: () => Promise<void>
}

/** What one run has done so far, and takes back in reverse order when it fails. */
export class TakeBack {
  readonly #deeds: Deed[] = []

  /** To be called when something was done; `left` says what stays where undoing it fails. */
  did(left: string, undo: () => Promise<void>): void {
    this.#deeds.push({ left, undo })
  }

  /** All is well: nothing is taken back any more. */
  keep(): void {
    this.#deeds.length = 0
  }

  /** Takes all back; resolves with what could not be, and why. Never rejects. */
  async run(): Promise<readonly string[]> {
    const left: string[] = []
    for (let deed = this.#deeds.pop(); deed !== undefined; deed = this.#deeds.pop()) {
      try {
        await deed.undo()
      } catch (thrown) {
        left.push(`${deed.left} (${asMakiError(thrown).message})`)
      }
    }
    return left
  }
}
