import {
  MakiError,
  type Member,
  type MemberKey,
  type Members,
  type Runtime,
  type Sealed,
  type SealedPlace,
} from '../../core/index.ts'

/** How many comparisons may be asked for at once; a project has some dozens of values. */
const BURST = 5_000
/** And how many come back each second: opening values takes time. */
const PER_SECOND = 10
/** How often a guess at one sealed value may be wrong at once. Who changes a value replaces it, so it is once for most. */
const WRONG_BURST = 30
/** And how long it takes until one more may be: some 50,000 guesses a year. */
const WRONG_MS = 10 * 60_000
/** Values that somebody was wrong about lately. */
const MAX_WRONG = 10_000

/** True where the member may write what is sealed there, and so may ask whether it changed. */
export function mayCompare(member: Member | undefined, { what }: SealedPlace): boolean {
  if (member === undefined || member.cuts.length > 0) return false
  return member.grants.some(({ role, domains }) => {
    switch (role) {
      case 'recovery':
      case 'operator':
        return true
      case 'deployer':
        return what.kind === 'env' && domains.some((domain) => domain === what.domain)
      case 'node':
        return false
      default:
        return role satisfies never
    }
  })
}

/** Bounds how much can be learned of secrets by asking whether they are this or that. */
export class SameGuard {
  readonly #runtime: Pick<Runtime, 'monotonic'>
  #allowance = BURST
  #allowedAtMs: number
  /** By box: when all that was wrong about it is forgotten. */
  readonly #wrong = new Map<string, number>()

  constructor(runtime: Pick<Runtime, 'monotonic'>) {
    this.#runtime = runtime
    this.#allowedAtMs = runtime.monotonic()
  }

  /** Throws MAKI_OPERATION_REFUSED for who does not belong to the cluster. */
  checkAsker(members: Members, key: MemberKey): Member {
    const member = members.get(key)
    if (member === undefined || member.cuts.length > 0)
      throw new MakiError(
        'MAKI_OPERATION_REFUSED',
        `the key ${key} is no member of this cluster: it may not compare secrets`,
      )
    return member
  }

  /** Takes what is asked for from the allowance of the node. Throws MAKI_TOO_LARGE. */
  take(count: number): void {
    const nowMs = this.#runtime.monotonic()
    this.#allowance = Math.min(BURST, this.#allowance + ((nowMs - this.#allowedAtMs) / 1000) * PER_SECOND)
    this.#allowedAtMs = nowMs
    if (count > this.#allowance) throw tooMany((count - this.#allowance) / PER_SECOND)
    this.#allowance -= count
  }

  /** Takes one guess at a sealed value, before it is answered. Throws MAKI_TOO_LARGE where too many were wrong. */
  guess({ sealed: { box } }: SealedPlace): void {
    const nowMs = this.#runtime.monotonic()
    const untilMs = Math.max(nowMs, this.#wrong.get(box) ?? 0) + WRONG_MS
    const waitMs = untilMs - nowMs - WRONG_BURST * WRONG_MS
    if (waitMs > 0) throw tooMany(waitMs / 1000)
    if (this.#wrong.size >= MAX_WRONG) this.#forget(nowMs)
    this.#wrong.set(box, untilMs)
  }

  /** Gives a guess back that was right. */
  wasRight({ box }: Sealed): void {
    const untilMs = this.#wrong.get(box)
    if (untilMs !== undefined) this.#wrong.set(box, untilMs - WRONG_MS)
  }

  #forget(nowMs: number): void {
    for (const [box, untilMs] of this.#wrong) if (untilMs <= nowMs) this.#wrong.delete(box)
    const [oldest] = this.#wrong.keys()
    if (this.#wrong.size >= MAX_WRONG && oldest !== undefined) this.#wrong.delete(oldest)
  }
}

const tooMany = (waitSeconds: number): MakiError =>
  new MakiError('MAKI_TOO_LARGE', 'too many secret values were compared in a short time', {
    hint: `Wait ${Math.ceil(waitSeconds)} seconds, then run the command again.`,
  })
