import { createHmac } from 'node:crypto'
import type { Runtime } from '../../core/index.ts'
import { clientPrefix } from '../message/index.ts'
import type { PasswordVerdict } from '../respond/index.ts'
import { verifyPassword } from './password-hash.ts'

/** A try for a password. */
export interface PasswordTry {
  readonly hash: string
  readonly password: string
  /** Address of who tries. */
  readonly client: string
}

/** Hashes at once: each takes memory, and a thread of those that read files too. */
const MAX_RUNNING = 2
const MAX_WAITING = 32
/** A network may be wrong so often at once, and then once in so long. */
const WRONG_TRIES = 20
const TRY_BACK_MS = 6_000
const MAX_REMEMBERED = 1024
const MAX_CLIENTS = 10_000

/**
 * Finds out whether passwords are right, with bounds on what that may cost. A right one is remembered, so that a page with
 * fifty images costs one hash: as a keyed hash, with a key that never leaves this process.
 */
export class PasswordChecker {
  readonly #runtime: Pick<Runtime, 'monotonic'>
  readonly #verify: (password: string, hash: string) => Promise<boolean>
  readonly #key: Uint8Array
  /** The longest unused first. */
  readonly #right = new Set<string>()
  readonly #underWay = new Map<string, Promise<PasswordVerdict>>()
  /** When a network has all its tries back, monotonic milliseconds; absent for one that has them. */
  readonly #freeAt = new Map<string, number>()
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(runtime: Pick<Runtime, 'monotonic' | 'randomBytes'>, verify = verifyPassword) {
    this.#runtime = runtime
    this.#verify = verify
    this.#key = runtime.randomBytes(32)
  }

  /** Never rejects: a hash that cannot be checked has no right password. */
  async check({ hash, password, client }: PasswordTry): Promise<PasswordVerdict> {
    const mark = createHmac('sha256', this.#key).update(`${hash}\0${password}`).digest('base64')
    if (this.#right.delete(mark)) {
      this.#right.add(mark)
      return 'right'
    }
    const prefix = clientPrefix(client)
    // Before the rest: a try counts when it begins, and is given back when it was right.
    if (!this.#takeTry(prefix)) return 'too-many-tries'
    const key = `${prefix} ${mark}`
    const same = this.#underWay.get(key)
    if (same !== undefined) {
      this.#giveBack(prefix)
      return same
    }
    const verdict = this.#find(mark, hash, password)
    this.#underWay.set(key, verdict)
    const found = await verdict
    this.#underWay.delete(key)
    if (found !== 'wrong') this.#giveBack(prefix)
    return found
  }

  async #find(mark: string, hash: string, password: string): Promise<PasswordVerdict> {
    if (this.#running >= MAX_RUNNING) {
      if (this.#waiting.length >= MAX_WAITING) return 'busy'
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else this.#running++
    try {
      if (!(await this.#verify(password, hash))) return 'wrong'
      if (this.#right.size >= MAX_REMEMBERED) for (const oldest of this.#right) return this.#replace(oldest, mark)
      this.#right.add(mark)
      return 'right'
    } catch {
      return 'wrong'
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }

  #replace(oldest: string, mark: string): PasswordVerdict {
    this.#right.delete(oldest)
    this.#right.add(mark)
    return 'right'
  }

  #takeTry(prefix: string): boolean {
    const nowMs = this.#runtime.monotonic()
    const freeAt = Math.max(nowMs, this.#freeAt.get(prefix) ?? 0) + TRY_BACK_MS
    if (freeAt - nowMs > WRONG_TRIES * TRY_BACK_MS) return false
    if (this.#freeAt.size >= MAX_CLIENTS && !this.#freeAt.has(prefix)) this.#forget(nowMs)
    this.#freeAt.set(prefix, freeAt)
    return true
  }

  #giveBack(prefix: string): void {
    const freeAt = this.#freeAt.get(prefix)
    if (freeAt !== undefined) this.#freeAt.set(prefix, freeAt - TRY_BACK_MS)
  }

  /** Those that have their tries back; where none has, the one that tried first. */
  #forget(nowMs: number): void {
    for (const [prefix, freeAt] of this.#freeAt) if (freeAt <= nowMs) this.#freeAt.delete(prefix)
    const [first] = this.#freeAt.keys()
    if (this.#freeAt.size >= MAX_CLIENTS && first !== undefined) this.#freeAt.delete(first)
  }
}
