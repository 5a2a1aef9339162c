import { type ChildProcess, spawn } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'

export interface ChildOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
}

/** A program under test in a process group of its own: its lines as they come, events instead of waiting times. */
export class Child implements AsyncDisposable {
  readonly lines: string[] = []
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  /** The process is gone; others that it started may hold its streams still. */
  readonly exited: Promise<unknown>
  readonly #child: ChildProcess
  readonly #waiting = new Set<() => void>()
  #hasEnded = false

  constructor(command: string, args: readonly string[], options: ChildOptions = {}) {
    this.#child = spawn(command, args, { ...options, detached: true, stdio: ['pipe', 'pipe', 'pipe'] })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => this.#take(line))
    }
    this.exited = new Promise((done) => this.#child.once('exit', done))
    this.ended = new Promise((done, fail) => {
      this.#child.once('error', fail)
      this.#child.once('close', (code, signal) => {
        this.#hasEnded = true
        for (const look of this.#waiting) look()
        done({ code, signal })
      })
    })
    this.ended.catch(() => {})
  }

  get pid(): number {
    return this.#child.pid as number
  }

  get output(): string {
    return this.lines.join('\n')
  }

  /** For a test that waited in vain: what the process does, as the kernel tells it, and all that it has said. */
  describe(): string {
    const tasks = globSync(`/proc/${this.pid}/task/*`).map((task) => {
      const read = (name: string) => {
        try {
          return readFileSync(`${task}/${name}`, 'utf8').trim()
        } catch {
          return '?'
        }
      }
      const state = /^State:\s*(.*)$/m.exec(read('status'))?.[1] ?? 'gone'
      return `${basename(task)} ${read('comm')}: ${state}, in ${read('wchan')}, call ${read('syscall')}`
    })
    return [`process ${this.pid}${this.#hasEnded ? ', ended' : ''}`, ...tasks, ...this.lines].join('\n')
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** The first line from number `from` on that the test accepts; rejects with all output when the program ends before. */
  waitForLine(test: (line: string) => boolean, from = 0): Promise<string> {
    return new Promise((done, fail) => {
      let at = from
      const look = (): void => {
        for (; at < this.lines.length; at++) {
          const line = this.lines[at] as string
          if (!test(line)) continue
          this.#waiting.delete(look)
          done(line)
          return
        }
        if (!this.#hasEnded) return
        this.#waiting.delete(look)
        fail(new Error(`the program ended before the line came; it said:\n${this.output}`))
      }
      this.#waiting.add(look)
      look()
    })
  }

  /** Kills the whole group: whatever the program left behind. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      process.kill(-this.pid, 'SIGKILL')
    } catch {
      // Gone already.
    }
    await this.ended.catch(() => {})
  }

  #take(line: string): void {
    this.lines.push(line)
    for (const look of this.#waiting) look()
  }
}
