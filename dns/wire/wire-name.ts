/**
 * Domain names on the wire (RFC 1035 section 3.1) and as keys. A key is lower case without the final dot; every octet
 * that no host name has, a dot inside a label among them, is written `\DDD`. So a dot in a key always separates labels,
 * and different names never share a key. The root is the empty key.
 */
export type NameKey = string

/** With the length octets and the root's (RFC 1035 section 2.3.4). */
export const MAX_NAME_OCTETS = 255
export const MAX_LABEL_OCTETS = 63

/** A name that was read from a message. */
export interface WireName {
  readonly key: NameKey
  /** Where the next field starts. */
  readonly end: number
}

const DOT = 0x2e
const BACKSLASH = 0x5c

/** Every octet as keys spell it. */
const SPELLED: readonly string[] = Array.from({ length: 256 }, (_, octet) => {
  const character = String.fromCharCode(octet)
  return /[A-Za-z0-9_*-]/.test(character) ? character.toLowerCase() : `\\${String(octet).padStart(3, '0')}`
})

/** Octets that stand in keys as one character, in lower case; 0 for all others. */
const LOWER = Uint8Array.from(SPELLED, (spelled) => (spelled.length === 1 ? spelled.charCodeAt(0) : 0))

/** An octet of a label as keys spell it. */
export const spellOctet = (octet: number): string => SPELLED[octet & 0xff] as string

/**
 * Reads an uncompressed name, the form that every name before the first answer has. Undefined when it runs over the
 * end, over 255 octets, or holds a pointer.
 */
export function findWireName(bytes: Uint8Array, start: number): WireName | undefined {
  let isPlain = true
  let offset = start
  for (;;) {
    const length = bytes[offset]
    if (length === undefined || length > MAX_LABEL_OCTETS) return undefined
    const end = offset + 1 + length
    if (end > bytes.length || end - start > MAX_NAME_OCTETS) return undefined
    if (length === 0) return { key: isPlain ? takeKey(offset - start) : spellKey(bytes, start), end }
    // Where the length stands, the key has its dots; the first of them is left out.
    scratch[offset - start] = DOT
    for (let i = offset + 1; i < end; i++) {
      const octet = LOWER[bytes[i] as number] as number
      if (octet === 0) isPlain = false
      scratch[i - start] = octet
    }
    offset = end
  }
}

/** The name is being read here: a string of one piece is made at once, which look-ups need and pieces would be slower to be. */
const scratch = Buffer.alloc(MAX_NAME_OCTETS)

const takeKey = (end: number): NameKey => (end === 0 ? '' : scratch.toString('latin1', 1, end))

/** Octet by octet: for names that hold what no host name does. */
function spellKey(bytes: Uint8Array, start: number): NameKey {
  let key = ''
  for (let offset = start; ; ) {
    const length = bytes[offset] as number
    if (length === 0) return key
    if (key !== '') key += '.'
    for (let i = offset + 1; i <= offset + length; i++) key += SPELLED[bytes[i] as number]
    offset += 1 + length
  }
}

/** The octets of a name, uncompressed: what `findWireName` reads, in lower case. The name is not too long. */
export function encodeWireName(key: NameKey): Uint8Array {
  if (key === '') return Uint8Array.of(0)
  const bytes = Buffer.alloc(key.length + 2)
  if (!key.includes('\\')) {
    bytes.write(key, 1, 'latin1')
    for (let start = 0; start <= key.length; ) {
      const dot = key.indexOf('.', start)
      const stop = dot === -1 ? key.length : dot
      bytes[start] = stop - start
      start = stop + 1
    }
    return bytes
  }
  let start = 0
  let end = 1
  for (let i = 0; i <= key.length; i++) {
    const character = key.charCodeAt(i)
    if (i === key.length || character === DOT) {
      bytes[start] = end - start - 1
      start = end
      end += 1
    } else if (character === BACKSLASH) {
      bytes[end++] = Number(key.slice(i + 1, i + 4))
      i += 3
    } else bytes[end++] = character
  }
  return bytes.subarray(0, end)
}

/** Where a name ends that may be compressed; the pointer is not followed. Undefined when it runs over the end. */
export function skipWireName(bytes: Uint8Array, start: number): number | undefined {
  let offset = start
  for (;;) {
    const length = bytes[offset]
    if (length === undefined) return undefined
    if (length >= 0xc0) return offset + 2 <= bytes.length ? offset + 2 : undefined
    if (length > MAX_LABEL_OCTETS) return undefined
    offset += 1 + length
    if (length === 0) return offset
  }
}

/** Octets that a name takes up uncompressed. */
export const nameOctets = (key: NameKey): number =>
  key === '' ? 1 : key.includes('\\') ? encodeWireName(key).length : key.length + 2

/** The name without its first label; undefined for the root. */
export function parentName(key: NameKey): NameKey | undefined {
  if (key === '') return undefined
  const dot = key.indexOf('.')
  return dot === -1 ? '' : key.slice(dot + 1)
}

/** How many labels a name has; the root has none. */
export function countLabels(key: NameKey): number {
  let labels = key === '' ? 0 : 1
  for (let dot = key.indexOf('.'); dot !== -1; dot = key.indexOf('.', dot + 1)) labels += 1
  return labels
}

/** The last so many labels of a name; all of it when it has no more. At least one is asked for. */
export function lastLabels(key: NameKey, count: number): NameKey {
  let dot = key.length
  for (let left = count; left > 0; left--) {
    dot = dot === 0 ? -1 : key.lastIndexOf('.', dot - 1)
    if (dot === -1) return key
  }
  return key.slice(dot + 1)
}
