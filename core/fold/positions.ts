/**
 * An immutable map from small numbers to positions that shares what two versions have in common (a radix trie with
 * path copying, as in Bagwell's hash array mapped tries). Setting costs the logarithm; the maximum of two skips whatever
 * they share.
 */
export type Positions = Branch | undefined
type Branch = readonly (Branch | number | undefined)[]

const BITS = 5
const WIDTH = 1 << BITS
/** The top branch is as wide as it takes: 32 slots for 32,768 chains, a few hundred for as many as fit in memory. */
const LEVELS = 3
/** What an array takes beside its items, in words of 8 bytes. */
const BRANCH_WORDS = 6

export function positionAt(positions: Positions, index: number): number | undefined {
  let branch: Branch | undefined = positions
  for (let level = LEVELS - 1; level > 0; level--) {
    if (branch === undefined) return undefined
    branch = branch[slotOf(index, level)] as Branch | undefined
  }
  return branch?.[slotOf(index, 0)] as number | undefined
}

/** The map with `index` at `position`, or the same map where it is at or beyond it. */
export function raisePosition(positions: Positions, index: number, position: number): Positions {
  if ((positionAt(positions, index) ?? -1) >= position) return positions
  return raiseIn(positions, index, position, LEVELS - 1)
}

/** At every index the greater of both. */
export function maxPositions(a: Positions, b: Positions): Positions {
  return maxIn(a, b, LEVELS - 1)
}

/** The map of the positions that are not below 0, by index. */
export function buildPositions(positions: readonly number[]): Positions {
  let branches: Branch[] = []
  const known = positions.map((position) => (position < 0 ? undefined : position))
  for (let at = 0; at < known.length; at += WIDTH) branches.push(known.slice(at, at + WIDTH))
  for (let level = 1; level < LEVELS - 1; level++) {
    const lower = branches
    branches = []
    for (let at = 0; at < lower.length; at += WIDTH) branches.push(lower.slice(at, at + WIDTH))
  }
  return branches.length === 0 ? undefined : branches
}

/** What a map takes in words of 8 bytes, without the branches that it shares with one of the others. */
export function wordsBeside(positions: Positions, others: readonly Positions[]): number {
  return wordsIn(positions, others, LEVELS - 1)
}

function wordsIn(branch: Branch | undefined, others: readonly (Branch | undefined)[], level: number): number {
  if (branch === undefined || others.includes(branch)) return 0
  let words = BRANCH_WORDS + branch.length
  if (level === 0) return words
  for (const [slot, below] of branch.entries())
    if (below !== undefined) {
      const beside = others.map((other) => other?.[slot] as Branch | undefined)
      words += wordsIn(below as Branch, beside, level - 1)
    }
  return words
}

function slotOf(index: number, level: number): number {
  const slot = index >>> (level * BITS)
  return level === LEVELS - 1 ? slot : slot & (WIDTH - 1)
}

function raiseIn(branch: Branch | undefined, index: number, position: number, level: number): Branch {
  const copy = branch === undefined ? [] : [...branch]
  const slot = slotOf(index, level)
  while (copy.length <= slot) copy.push(undefined)
  copy[slot] = level === 0 ? position : raiseIn(copy[slot] as Branch | undefined, index, position, level - 1)
  return copy
}

function maxIn(a: Branch | undefined, b: Branch | undefined, level: number): Branch | undefined {
  if (a === b || b === undefined) return a
  if (a === undefined) return b
  const result: (Branch | number | undefined)[] = []
  let sameAsA = a.length >= b.length
  let sameAsB = b.length >= a.length
  for (let slot = 0; slot < Math.max(a.length, b.length); slot++) {
    const left = a[slot]
    const right = b[slot]
    const greater =
      level === 0
        ? maxNumber(left as number | undefined, right as number | undefined)
        : maxIn(left as Branch | undefined, right as Branch | undefined, level - 1)
    if (greater !== left) sameAsA = false
    if (greater !== right) sameAsB = false
    result.push(greater)
  }
  if (sameAsA) return a
  // Copied, as it takes less than what grew item by item.
  return sameAsB ? b : result.slice()
}

function maxNumber(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined) return b
  if (b === undefined) return a
  return Math.max(a, b)
}
