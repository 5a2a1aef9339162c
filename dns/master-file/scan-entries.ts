/**
 * Cuts a master file (RFC 1035 section 5.1) into entries of tokens. The text holds one octet a character (latin1), so that
 * nothing is lost of files in any encoding. Linear in the text, whatever it holds.
 */

/** A word of an entry. */
export interface Token {
  /** As it stands in the file, without the quotes around it; octets beyond printable ASCII are `\DDD`. */
  readonly text: string
  /** It began with a quote. */
  readonly quoted: boolean
  /** It holds octets beyond ASCII that are not escaped. */
  readonly foreign: boolean
}

/** A line, or the lines that parentheses hold together. */
export interface Entry {
  /** Of its beginning, from 1. */
  readonly line: number
  /** It begins with a blank: the owner is the one before. */
  readonly indented: boolean
  /** It stands in a comment that only we read. */
  readonly ours: boolean
  /** At least one, unless there is a fault. */
  readonly tokens: readonly Token[]
  /** Why the tokens are not what was meant. */
  readonly fault: string | undefined
}

/** Comments that begin so hold what other programs do not know. */
export const OUR_COMMENT = ';makiatto:'

/** More than the longest data of a record takes with every octet escaped; ends what no parenthesis ends. */
export const MAX_ENTRY_CHARACTERS = 600_000

const TAB = 0x09
const NEWLINE = 0x0a
const RETURN = 0x0d
const SPACE = 0x20
const QUOTE = 0x22
const OPEN = 0x28
const CLOSE = 0x29
const SEMICOLON = 0x3b
const BACKSLASH = 0x5c

/** Entries in their order; lines without a token are none. */
export function* scanEntries(text: string): Generator<Entry, void, undefined> {
  const scanner = new Scanner(text)
  for (let entry = scanner.next(); entry !== undefined; entry = scanner.next()) yield entry
}

class Scanner {
  readonly #text: string
  #at = 0
  #line = 1
  #fault: string | undefined

  constructor(text: string) {
    this.#text = text
  }

  next(): Entry | undefined {
    while (this.#at < this.#text.length) {
      const entry = this.#readEntry()
      if (entry.tokens.length > 0 || entry.fault !== undefined) return entry
    }
    return undefined
  }

  #readEntry(): Entry {
    const ours = this.#text.startsWith(OUR_COMMENT, this.#at)
    if (ours) {
      this.#at += OUR_COMMENT.length
      while (isBlank(this.#text.charCodeAt(this.#at))) this.#at += 1
    }
    const start = this.#at
    let line = this.#line
    const indented = isBlank(this.#text.charCodeAt(start))
    const tokens: Token[] = []
    let opened: number | undefined
    this.#fault = undefined
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (Number.isNaN(code) || (code === NEWLINE && opened === undefined)) break
      if (this.#at - start > MAX_ENTRY_CHARACTERS) {
        this.#fault ??= 'the record is longer than any can be'
        this.#skipLine()
        break
      }
      if (code === NEWLINE) this.#passNewline()
      else if (isBlank(code) || code === RETURN) this.#at += 1
      else if (code === SEMICOLON) this.#skipLine()
      else if (code === OPEN) {
        // RFC 1035 knows no parentheses in parentheses, and programs read them each in its own way.
        if (opened !== undefined) this.#fault ??= `there is a parenthesis inside that of line ${opened}`
        opened ??= this.#line
        this.#at += 1
      } else if (code === CLOSE) {
        if (opened === undefined) this.#fault ??= 'a parenthesis is closed that was not opened'
        opened = undefined
        this.#at += 1
      } else {
        if (tokens.length === 0) line = this.#line
        tokens.push(code === QUOTE ? this.#readQuoted() : this.#readWord())
      }
    }
    if (opened !== undefined) this.#fault = `the parenthesis of line ${opened} is not closed`
    this.#passNewline()
    return { line, indented, ours, tokens, fault: this.#fault }
  }

  #passNewline(): void {
    this.#at += 1
    this.#line += 1
  }

  #skipLine(): void {
    const end = this.#text.indexOf('\n', this.#at)
    this.#at = end === -1 ? this.#text.length : end
  }

  #readQuoted(): Token {
    const start = this.#at + 1
    this.#at = start
    this.#passQuoted()
    const closed = this.#text.charCodeAt(this.#at - 1) === QUOTE && this.#at > start
    return createToken(this.#text.slice(start, closed ? this.#at - 1 : this.#at), true)
  }

  /** To behind the closing quote; strings end on their line. */
  #passQuoted(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (Number.isNaN(code) || code === NEWLINE) {
        this.#fault ??= 'a quote is not closed on its line'
        return
      }
      this.#at += code === BACKSLASH && this.#text.charCodeAt(this.#at + 1) !== NEWLINE ? 2 : 1
      if (code === QUOTE) return
    }
  }

  /** Quotes inside a word belong to it: `alpn="h2,h3"` (RFC 9460 appendix A). */
  #readWord(): Token {
    const start = this.#at
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (Number.isNaN(code) || code === NEWLINE || code === RETURN || isBlank(code)) break
      if (code === SEMICOLON || code === OPEN || code === CLOSE) break
      this.#at += 1
      if (code === QUOTE) this.#passQuoted()
      else if (code === BACKSLASH && this.#text.charCodeAt(this.#at) !== NEWLINE) this.#at += 1
    }
    return createToken(this.#text.slice(start, this.#at), false)
  }
}

const isBlank = (code: number): boolean => code === SPACE || code === TAB

/** Every octet that is not printable ASCII becomes `\DDD`, whether or not it is escaped as `\X`. */
function createToken(raw: string, quoted: boolean): Token {
  if (/^[ -~]*$/.test(raw)) return { text: raw, quoted, foreign: false }
  const spell = (_: string, character: string) => `\\${String(character.charCodeAt(0)).padStart(3, '0')}`
  return { text: raw.replace(/\\?([^ -~])/g, spell), quoted, foreign: /[^\0-\x7f]/.test(raw) }
}
