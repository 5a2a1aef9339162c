/** Addresses as big integers, read and written by the letter of RFC 4291: a model to hold a policy against. */
export interface BigAddress {
  readonly bits: 32 | 128
  readonly value: bigint
}

export function toBig(text: string): BigAddress {
  if (!text.includes(':'))
    return { bits: 32, value: text.split('.').reduce((sum, byte) => sum * 256n + BigInt(byte), 0n) }
  const [head = '', tail] = text.split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => BigInt(`0x${group}`)))
  const before = groups(head)
  const after = tail === undefined ? [] : groups(tail)
  const all = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0n), ...after]
  return { bits: 128, value: all.reduce((sum, group) => sum * 65536n + group, 0n) }
}

/** `style` chooses a spelling: full groups, capitals, or an IPv4 address at the end. */
export function fromBig({ bits, value }: BigAddress, style = 0): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => (value >> BigInt(112 - 16 * i)) & 65535n)
  const text = groups.map((group) => group.toString(16))
  if (style === 1) return text.map((group) => group.padStart(4, '0').toUpperCase()).join(':')
  if (style === 2) return [...text.slice(0, 6), fromBig({ bits: 32, value: value & 0xffffffffn })].join(':')
  return text.join(':')
}

/** First and last address of `10.0.0.0/8`. */
export function rangeOf(network: string): { bits: 32 | 128; first: bigint; last: bigint } {
  const [address = '', length = ''] = network.split('/')
  const { bits, value } = toBig(address)
  return { bits, first: value, last: value + (1n << BigInt(bits - Number(length))) - 1n }
}
