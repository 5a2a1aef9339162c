/**
 * How many questions of a kind a link has answered between two ticks. An honest peer asks once a round, of some seconds,
 * and sends 256 buckets at most for each table of ours; each answer costs far more than the question.
 */
const LIMITS = {
  /** A state vector: each looks through the document for a few bytes. */
  vector: 16,
  digest: 16,
  /** Answered with every id that we have, in the worst case. */
  table: 4,
  bucket: 320,
}

/** Bounds what the questions of one link cost. Who is left without an answer compares again in a round of anti-entropy. */
export class LinkAllowance {
  readonly #taken = new Map<keyof typeof LIMITS, number>()

  /** Whether one more is answered. */
  take(question: keyof typeof LIMITS): boolean {
    const taken = (this.#taken.get(question) ?? 0) + 1
    this.#taken.set(question, taken)
    return taken <= LIMITS[question]
  }

  /** To be called at each tick. */
  renew(): void {
    this.#taken.clear()
  }
}
