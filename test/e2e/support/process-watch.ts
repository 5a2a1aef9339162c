import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

/** Between two rounds: shorter than any program lives that asks a person or a server. */
const PAUSE_MS = 10

/** A process in whose words one of the forms stood. */
export interface Sighting {
  readonly where: 'cmdline' | 'environ'
  /** The form, as text. */
  readonly form: string
  /** The name of its program. */
  readonly command: string
}

/**
 * Looks at the arguments and the environment of every process of this machine, those of booted hosts among them, again and
 * again until it is disposed. It looks from outside, so that it is no process that has in its own words what it looks for.
 * One that lives shorter than a round may be missed.
 */
export class ProcessWatch implements AsyncDisposable {
  readonly #forms: Buffer[]
  readonly #found = new Map<string, Sighting>()
  readonly #done: Promise<void>
  #isOver = false
  #looks = 0

  constructor(forms: readonly Buffer[]) {
    this.#forms = [...forms]
    this.#done = this.#run()
  }

  /** Each once. */
  get found(): readonly Sighting[] {
    return [...this.#found.values()]
  }

  /** How many rounds there were. */
  get looks(): number {
    return this.#looks
  }

  add(forms: readonly Buffer[]): void {
    this.#forms.push(...forms)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await this.#done
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      for (const pid of readdirSync('/proc')) {
        if (/^\d+$/.test(pid) && pid !== String(process.pid)) this.#look(pid)
      }
      this.#looks++
      // What is watched has to get on, too.
      await pause(PAUSE_MS)
    }
  }

  #look(pid: string): void {
    for (const where of ['cmdline', 'environ'] as const) {
      const words = read(`/proc/${pid}/${where}`)
      for (const form of this.#forms) {
        if (!words.includes(form)) continue
        const command = read(`/proc/${pid}/comm`).toString().trim()
        const sighting = { where, form: form.toString('latin1'), command }
        this.#found.set(JSON.stringify(sighting), sighting)
      }
    }
  }
}

function read(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch {
    // It has ended, or belongs to the kernel.
    return Buffer.alloc(0)
  }
}
