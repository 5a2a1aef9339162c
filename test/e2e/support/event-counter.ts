import { type FSWatcher, watch } from 'node:fs'

/**
 * Counts what happens in folders, so that a moment in another process's work can be named by a number instead of a time:
 * files made, renamed, written, removed.
 */
export class EventCounter implements Disposable {
  readonly #watchers: FSWatcher[]
  readonly #waiting = new Set<{ readonly at: number; readonly go: () => void }>()
  #count = 0

  constructor(folders: readonly string[]) {
    this.#watchers = folders.map((folder) => {
      const watcher = watch(folder, { persistent: false }, () => this.#take())
      watcher.on('error', () => {})
      return watcher
    })
  }

  get count(): number {
    return this.#count
  }

  /** Resolves when so many events have happened from now on. */
  after(events: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.add({ at: this.#count + events, go: resolve })
    return promise
  }

  #take(): void {
    this.#count += 1
    for (const entry of this.#waiting) {
      if (entry.at > this.#count) continue
      this.#waiting.delete(entry)
      entry.go()
    }
  }

  [Symbol.dispose](): void {
    for (const watcher of this.#watchers) watcher.close()
  }
}
