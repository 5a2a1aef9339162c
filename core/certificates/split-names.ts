import { createHash } from 'node:crypto'
import type { CertificateName } from '../operation/index.ts'

/** The most names that authorities take in one order. */
export const MAX_NAMES = 100

/**
 * Lists of at most 100 names, the first of them with `together`. One more name, or one less, changes few lists: each name
 * goes by bits of its hash, and a list that is full is cut in two. Pure, and independent of the order of names.
 */
export function splitNames(
  together: readonly CertificateName[],
  others: readonly CertificateName[],
): readonly (readonly CertificateName[])[] {
  if (together.length + others.length <= MAX_NAMES) return [[...together, ...others]]
  const lists = cut(others, 0)
  return together.length === 0 ? lists : [together, ...lists]
}

function cut(names: readonly CertificateName[], depth: number): readonly (readonly CertificateName[])[] {
  if (names.length === 0) return []
  if (names.length <= MAX_NAMES) return [names]
  const sides: [CertificateName[], CertificateName[]] = [[], []]
  for (const name of names) sides[bitOf(name, depth)].push(name)
  return sides.flatMap((side) => cut(side, depth + 1))
}

function bitOf(name: CertificateName, depth: number): 0 | 1 {
  const byte = createHash('sha256').update(name).digest()[depth >> 3] as number
  return ((byte >> (7 - (depth & 7))) & 1) as 0 | 1
}
