import type { Hostname } from '../../core/index.ts'
import type { NameKey, RecordType } from '../wire/index.ts'
import { parseName } from './name.ts'
import type { Refuse } from './octets.ts'

/** Presentation format (RFC 1035 section 5.1) of the data of one record, on its way to be read. */
export class Fields {
  readonly type: RecordType
  readonly text: string
  readonly refuse: Refuse
  readonly #origin: Hostname | undefined

  constructor(type: RecordType, text: string, origin: Hostname | undefined, refuse: Refuse) {
    this.type = type
    this.text = text
    this.refuse = refuse
    this.#origin = origin
  }

  /** The words between blanks; throws unless they are as many as `names`. */
  readWords(...names: readonly string[]): readonly string[] {
    const words = this.#words()
    if (words.length === names.length) return words
    throw this.refuse(
      names.length === 1 ? 'it has spaces' : `it has ${words.length} parts, not ${names.length} (${names.join(', ')})`,
    )
  }

  /** As `readWords`, but the last part may be several words, which are put together. */
  readJoined(...names: readonly string[]): readonly string[] {
    const words = this.#words()
    const before = names.length - 1
    if (words.length < names.length)
      throw this.refuse(`it has ${words.length} parts, not ${names.length} (${names.join(', ')})`)
    return [...words.slice(0, before), words.slice(before).join('')]
  }

  /** As `readWords`, but a part may be quoted, wholly or behind a `=`, and then holds blanks; at least one. */
  readParts(): readonly string[] {
    const parts: string[] = []
    const { text } = this
    let start = -1
    let isQuoted = false
    for (let i = 0; i < text.length; i++) {
      const character = text[i]
      const isBlank = !isQuoted && (character === ' ' || character === '\t')
      if (isBlank && start !== -1) {
        parts.push(text.slice(start, i))
        start = -1
      } else if (!isBlank && start === -1) start = i
      if (character === '"') isQuoted = !isQuoted
      else if (character === '\\') i += 1
    }
    if (isQuoted) throw this.refuse('a quote is not closed')
    if (start !== -1) parts.push(text.slice(start))
    if (parts.length === 0) throw this.refuse('it is empty')
    return parts
  }

  readNumber(word: string | undefined, what: string, max: number): number {
    if (word === undefined || !/^[0-9]{1,10}$/.test(word) || Number(word) > max)
      throw this.refuse(`${what} is a whole number from 0 to ${max}, not ${quote(word ?? '')}`)
    return Number(word)
  }

  readName(word: string | undefined): NameKey {
    return parseName(word ?? '', this.#origin, this.refuse)
  }

  /** Octets in hexadecimal, at least one. */
  readHex(word: string | undefined, what: string): Uint8Array {
    if (word === undefined || !/^[0-9A-Fa-f]+$/.test(word))
      throw this.refuse(`${what} is written in hexadecimal, not ${quote(word ?? '')}`)
    if (word.length % 2 !== 0) throw this.refuse(`${what} has half an octet: ${word.length} digits`)
    return Buffer.from(word, 'hex')
  }

  #words(): string[] {
    const trimmed = this.text.trim()
    if (trimmed === '') throw this.refuse('it is empty')
    return trimmed.split(/[ \t]+/)
  }
}

const MAX_SHOWN = 80

/** Cut where it is long, for messages. */
export const abbreviate = (text: string): string =>
  text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN - 3)}...` : text

/** In quotes, and cut where it is long: what is refused may have 200,000 characters. */
export const quote = (text: string): string => JSON.stringify(abbreviate(text))
