import { type Hostname, MakiError } from '../../core/index.ts'
import type { NameKey } from '../wire/index.ts'
import { quote } from './fields.ts'
import { formatName, parseName } from './name.ts'

/**
 * ALIAS is a type of ours that no message has: the name answers A and AAAA with the addresses of `target`. So it is no
 * `Rdata`, and an RRset of it is never encoded.
 */
export interface AliasData {
  readonly type: 'ALIAS'
  readonly target: NameKey
}

/** As `parseRdata`, for a value of type ALIAS. Throws MAKI_INVALID. */
export function parseAlias(text: string, origin?: Hostname): AliasData {
  const refuse = (why: string, hint = 'Write the full name of the target, like www.example.net.') =>
    new MakiError('MAKI_INVALID', `${quote(text)} is not the value of an ALIAS record: ${why}`, { hint })
  const field = text.trim()
  if (field === '') throw refuse('it is empty')
  if (/[ \t]/.test(field)) throw refuse('it has spaces')
  const target = parseName(field, origin, refuse)
  if (target === '') throw refuse('the root is no target')
  return { type: 'ALIAS', target }
}

/** The inverse of `parseAlias`, canonical. */
export const formatAlias = ({ target }: AliasData): string => formatName(target)
