import type { Codec } from './codec.ts'
import { formatHex } from './digest-data.ts'
import type { Fields } from './fields.ts'
import type { UnknownData } from './types.ts'

/** Whether data is written as octets: `\# 4 C0000201` (RFC 3597 section 5). */
export const isGeneric = (text: string): boolean => /^[ \t]*\\#(?:[ \t]|$)/.test(text.slice(0, 100))

/** The octets, as many as the text says. */
export function readGeneric(fields: Fields): Uint8Array {
  const [, count, ...words] = fields.text.trim().split(/[ \t]+/)
  const length = fields.readNumber(count, 'the number of octets', 0xffff)
  const hex = words.join('')
  const data = hex === '' ? new Uint8Array() : fields.readHex(hex, 'the data')
  if (data.length !== length) throw fields.refuse(`it says that it has ${length} octets, and has ${data.length}`)
  return data
}

/** The inverse of `readGeneric`, canonical. */
export const formatGeneric = (data: Uint8Array): string =>
  data.length === 0 ? '\\# 0' : `\\# ${data.length} ${formatHex(data)}`

/** Data that is nothing but octets. */
export const buildUnknownCodec = (type: UnknownData['type']): Codec<UnknownData> => ({
  hint: 'Data of this type is written as octets: \\# 4 C0000201 is the number of octets, then these in hexadecimal.',
  parse(fields) {
    if (!isGeneric(fields.text)) throw fields.refuse('it does not start with \\#')
    return { type, data: readGeneric(fields) }
  },
  format: ({ data }) => formatGeneric(data),
  encode: ({ data }) => data,
  decode: (octets) => ({ type, data: octets.rest() }),
})
