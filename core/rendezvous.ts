import { createHash } from 'node:crypto'

/**
 * Rendezvous hashing (Thaler and Ravishankar, 1998): every node ranks the candidates for a topic the same way without
 * asking anybody, and when one goes only its own topics move. Highest first.
 */
export function rankHolders<T extends string>(topic: string, candidates: Iterable<T>): T[] {
  const scored = [...new Set(candidates)].map((candidate) => ({
    candidate,
    score: createHash('sha256').update(`${topic}\0${candidate}`).digest('hex'),
  }))
  return scored.sort((a, b) => (a.score < b.score ? 1 : -1)).map(({ candidate }) => candidate)
}
