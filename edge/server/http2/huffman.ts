/**
 * Lengths of the codes of all octets and of EOS, in bits, one digit of base 32 each (RFC 7541 appendix B). The code is
 * canonical: codes of one length count up in the order of their octets, so lengths say all.
 */
const LENGTHS = [
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca',
  'd67777777777777777777777878djde6f56565666577666567655677777fbeds',
  'kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn',
  'qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq',
  'u',
].join('')

const EOS = 256
const LONGEST = 30
const NIBBLES = 16
/** Steps of a nibble: where it leads, and which octet it ends; no code is shorter than a nibble, so it ends one at most. */
const FAILS = -1
const NONE = -1

interface Node {
  /** By the next bit; a number is an octet. */
  readonly next: [Node | number | undefined, Node | number | undefined]
  /** What came since the last octet is a padding: less than a byte, all ones. */
  readonly isPadding: boolean
  readonly number: number
}

const { leads, ends, paddings } = buildSteps()

/**
 * The octets that [start, end) of `bytes` are the Huffman code of (RFC 7541 section 5.2), written to `target` from its start:
 * there must be room for eight fifths as many. Gives how many; -1 for what is no code.
 */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number, target: Uint8Array): number {
  let state = 0
  let length = 0
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    const high = state * NIBBLES + (byte >> 4)
    state = leads[high] as number
    if (state === FAILS) return -1
    if (ends[high] !== NONE) target[length++] = ends[high] as number
    const low = state * NIBBLES + (byte & 15)
    state = leads[low] as number
    if (state === FAILS) return -1
    if (ends[low] !== NONE) target[length++] = ends[low] as number
  }
  return paddings[state] === 1 ? length : -1
}

function buildSteps() {
  const nodes = buildNodes()
  const leads = new Int16Array(nodes.length * NIBBLES)
  const ends = new Int16Array(nodes.length * NIBBLES).fill(NONE)
  const paddings = Uint8Array.from(nodes, ({ isPadding }) => (isPadding ? 1 : 0))
  for (const from of nodes) {
    for (let nibble = 0; nibble < NIBBLES; nibble++) {
      const step = from.number * NIBBLES + nibble
      let node: Node | undefined = from
      for (let bit = 3; bit >= 0 && node !== undefined; bit--) {
        const next: Node | number | undefined = node.next[((nibble >> bit) & 1) as 0 | 1]
        if (typeof next !== 'number') node = next
        else if (next === EOS) node = undefined
        else {
          ends[step] = next
          node = nodes[0]
        }
      }
      leads[step] = node?.number ?? FAILS
    }
  }
  return { leads, ends, paddings }
}

/** All places within codes, the first of them before any. */
function buildNodes(): Node[] {
  const nodes: Node[] = []
  const add = (isPadding: boolean): Node => {
    const node: Node = { next: [undefined, undefined], isPadding, number: nodes.length }
    nodes.push(node)
    return node
  }
  const root = add(true)
  let code = 0
  for (let length = 1; length <= LONGEST; length++) {
    code *= 2
    for (let octet = 0; octet <= EOS; octet++) {
      if (Number.parseInt(LENGTHS[octet] as string, 32) !== length) continue
      let node = root
      for (let bit = length - 1; bit > 0; bit--) {
        const side = ((code >> bit) & 1) as 0 | 1
        const next = node.next[side]
        const depth = length - bit
        const place = typeof next === 'object' ? next : add(code >> bit === 2 ** depth - 1 && depth < 8)
        node.next[side] = place
        node = place
      }
      node.next[(code & 1) as 0 | 1] = octet
      code++
    }
  }
  return nodes
}
