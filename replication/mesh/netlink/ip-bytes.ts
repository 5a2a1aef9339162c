import { isIPv4, isIPv6 } from 'node:net'
import { MakiError } from '../../../core/index.ts'

export const AF_INET = 2
export const AF_INET6 = 10

/** A network, or an address with a prefix of all its bits. */
export interface IpNetwork {
  readonly family: typeof AF_INET | typeof AF_INET6
  readonly bytes: Buffer
  readonly bits: number
}

/** The 4 or 16 bytes of an address in its usual notation, without a zone. Throws MAKI_INVALID. */
export function ipBytes(text: string): Buffer {
  if (isIPv4(text)) return Buffer.from(text.split('.').map(Number))
  if (!isIPv6(text) || text.includes('%')) throw new MakiError('MAKI_INVALID', `${text} is no address`)
  const tail = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text)
  const hex = (high: string | undefined, low: string | undefined) => ((Number(high) << 8) | Number(low)).toString(16)
  const plain = tail === null ? text : `${tail[1]}${hex(tail[2], tail[3])}:${hex(tail[4], tail[5])}`
  const [left = '', right] = plain.split('::')
  const before = left === '' ? [] : left.split(':')
  const after = right === undefined || right === '' ? [] : right.split(':')
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  const bytes = Buffer.alloc(16)
  for (const [i, group] of [...before, ...zeros, ...after].entries())
    bytes.writeUInt16BE(Number.parseInt(group, 16), i * 2)
  return bytes
}

/** CIDR notation, or an address alone. Throws MAKI_INVALID. */
export function parseNetwork(text: string): IpNetwork {
  const [address = '', bits, ...rest] = text.split('/')
  const bytes = ipBytes(address)
  const most = bytes.length * 8
  const count = bits === undefined ? most : Number(bits)
  if (rest.length > 0 || !Number.isInteger(count) || count < 0 || count > most || bits === '')
    throw new MakiError('MAKI_INVALID', `${text} is no network`)
  return { family: bytes.length === 4 ? AF_INET : AF_INET6, bytes, bits: count }
}
