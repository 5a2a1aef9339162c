import type { Hostname } from '../../core/index.ts'
import type { NameKey } from '../wire/index.ts'
import { OUR_COMMENT } from './scan-entries.ts'

/** An RRset as it goes into a file. */
export interface MasterSet {
  /** Absolute; at or below the origin. */
  readonly name: NameKey
  readonly type: string
  /** Seconds. */
  readonly ttl: number
  /** In canonical presentation format: printable ASCII in one line each. */
  readonly values: readonly string[]
  /** `geo`: the address of the node that is best for who asks; then there are no values. */
  readonly geo: boolean
  /** A comment keeps a set from other programs and from `parseMasterFile`; the reason stands behind it. */
  readonly comment?: string | undefined
}

/** `$TTL` of the files that we write; every record says its own. */
const FILE_TTL = 300
const COLUMN = 24

/**
 * A master file (RFC 1035 section 5) of the sets: the apex first, then by name in canonical order (RFC 4034 section
 * 6.1), SOA and NS before other types. Equal sets give equal files, in whatever order they come. `head` are the lines
 * of the comment at the top.
 */
export function formatMasterFile(origin: Hostname, sets: readonly MasterSet[], head: readonly string[]): string {
  const lines = [...head.map((line) => `; ${oneLine(line)}`), `$ORIGIN ${origin}.`, `$TTL ${FILE_TTL}`]
  const sorted = sets
    .map((set) => ({ set, key: sortKey(set.name) }))
    .sort((a, b) => compare(a.key, b.key) || compareTypes(a.set.type, b.set.type))
  for (const { set } of sorted) lines.push(...formatSet(set, origin))
  return `${lines.join('\n')}\n`
}

function formatSet({ name, type, ttl, values, geo, comment }: MasterSet, origin: Hostname): string[] {
  const owner = name === origin ? '@' : name.slice(0, -origin.length - 1)
  const head = `${owner.padEnd(COLUMN - 1)} ${ttl} IN ${type}`
  if (comment !== undefined) return values.map((value) => `; ${oneLine(comment)}: ${oneLine(`${head} ${value}`)}`)
  if (geo) return [`${OUR_COMMENT} ${head} geo`]
  // No other program knows ALIAS, and one that meets it may refuse the whole file.
  const prefix = type === 'ALIAS' ? `${OUR_COMMENT} ` : ''
  const spell = type === 'SVCB' || type === 'HTTPS' ? spellParams : (value: string) => value
  return values.map((value) => `${prefix}${head} ${spell(value)}`)
}

/** Parameters by number that came after RFC 9460, for programs that have not heard their names: Knot 3.2 is one. */
const spellParams = (value: string): string =>
  value.replace(/"(?:\\.|[^"\\])*"| mandatory=[^ ]+| dohpath=/g, (piece) =>
    piece.startsWith('"') ? piece : piece.replace(/(?<=[ =,])dohpath(?=[=,]|$)/, 'key7'),
  )

/** Labels from the right; the octet that separates them sorts before every other. */
const sortKey = (name: NameKey): string => name.split('.').reverse().join('\0')

const RANKS: readonly string[] = ['SOA', 'NS']
const rankOf = (type: string): number => (RANKS.includes(type) ? RANKS.indexOf(type) : RANKS.length)
const compareTypes = (a: string, b: string): number => rankOf(a) - rankOf(b) || compare(a, b)
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** What comes from elsewhere must not end the comment that it stands in. */
const oneLine = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?')
