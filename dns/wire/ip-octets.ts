/**
 * The 4 octets of an IPv4 address or the 16 of an IPv6 one, from text that the system wrote or `net.isIP` accepted.
 * Undefined for what is neither; a zone (`%eth0`) is left out.
 */
export function ipOctets(address: string): Uint8Array | undefined {
  if (!address.includes(':')) return ipv4Octets(address)
  const [plain = ''] = address.split('%', 1)
  const [head = '', tail, extra] = plain.split('::')
  if (extra !== undefined) return undefined
  const left = pieces(head, tail === undefined)
  const right = tail === undefined ? [] : pieces(tail, true)
  if (left === undefined || right === undefined) return undefined
  const missing = 16 - left.length - right.length
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined
  return Uint8Array.from([...left, ...new Array<number>(missing).fill(0), ...right])
}

/**
 * The text of 4 or 16 octets, which `ipOctets` reads: one for each address, as RFC 5952 section 4 has it. An IPv4 address
 * in an IPv6 one is not written with dots.
 */
export function formatIp(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join('.')
  const groups = Array.from({ length: 8 }, (_, i) => ((octets[2 * i] as number) << 8) | (octets[2 * i + 1] as number))
  const zeros = findZeros(groups)
  const text = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':')
  return zeros.end - zeros.start < 2 ? text(0, 8) : `${text(0, zeros.start)}::${text(zeros.end, 8)}`
}

/** The longest run of zeros, the first of several. */
function findZeros(groups: readonly number[]): { readonly start: number; readonly end: number } {
  let longest = { start: 0, end: 0 }
  for (let start = 0; start < groups.length; start++) {
    let end = start
    while (groups[end] === 0) end++
    if (end - start > longest.end - longest.start) longest = { start, end }
    start = end
  }
  return longest
}

function ipv4Octets(address: string): Uint8Array | undefined {
  const octets = new Uint8Array(4)
  let index = 0
  let value = -1
  for (let i = 0; i <= address.length; i++) {
    const code = i === address.length ? 0x2e : address.charCodeAt(i)
    if (code === 0x2e) {
      if (value < 0 || index > 3) return undefined
      octets[index++] = value
      value = -1
    } else if (code >= 0x30 && code <= 0x39) {
      value = Math.max(value, 0) * 10 + code - 0x30
      if (value > 255) return undefined
    } else return undefined
  }
  return index === 4 ? octets : undefined
}

/** The octets of `2001:db8`; the last piece of an address may be `192.0.2.1`. */
function pieces(text: string, endsAddress: boolean): number[] | undefined {
  if (text === '') return []
  const octets: number[] = []
  const all = text.split(':')
  for (const [index, piece] of all.entries()) {
    if (piece.includes('.')) {
      const last = endsAddress && index === all.length - 1 ? ipv4Octets(piece) : undefined
      if (last === undefined) return undefined
      octets.push(...last)
    } else if (/^[0-9a-fA-F]{1,4}$/.test(piece)) {
      const value = Number.parseInt(piece, 16)
      octets.push(value >> 8, value & 0xff)
    } else return undefined
  }
  return octets
}
