/**
 * Ids and public keys of a document stand for others that are drawn anew each time: a word of base32, short or whole, with
 * a digit in it. Which one it stands for is learned where it is printed first; from then on it must be that one wherever
 * it stands, in what is printed and in what is typed. Two that differ in the document differ in truth.
 */
export class DocumentedIds {
  readonly #real = new Map<string, string>()

  /** A command as it is typed: ids that are known are the real ones. */
  fill(text: string): string {
    return text.replace(ID, (id) => this.#real.get(id) ?? id)
  }

  /** A part of a regular expression; an id that is not known yet is captured under its own name. */
  escape(text: string, captured: Set<string>): string {
    let pattern = ''
    let end = 0
    for (const { 0: id, index } of text.matchAll(ID)) {
      pattern += RegExp.escape(text.slice(end, index)) + this.#patternOf(id, captured)
      end = index + id.length
    }
    return pattern + RegExp.escape(text.slice(end))
  }

  /** Takes over what a match has captured; false, and nothing is learned, when it contradicts what is known. */
  learn(groups: Readonly<Record<string, string>> = {}): boolean {
    const all = new Map(this.#real)
    for (const [name, real] of Object.entries(groups)) all.set(name.slice(PREFIX.length), real)
    const pairs = [...all]
    const agrees = pairs.every(([id, real]) =>
      pairs.every(([other, otherReal]) => id.startsWith(other) === real.startsWith(otherReal)),
    )
    if (!agrees) return false
    for (const [id, real] of all) this.#real.set(id, real)
    return true
  }

  #patternOf(id: string, captured: Set<string>): string {
    const real = this.#real.get(id)
    if (real !== undefined) return real
    if (captured.has(id)) return `\\k<${PREFIX}${id}>`
    captured.add(id)
    return `(?<${PREFIX}${id}>[a-z2-7]{${id.length}})`
  }
}

/** Names of groups cannot begin with a digit. */
const PREFIX = 'id_'
/** Characters of 32 bytes in base32: an operation's id, a public key. */
const ID_LENGTH = 52
/** What people are shown of it. */
const SHORT_ID_LENGTH = 10
const ID = new RegExp(`(?<!\\w)(?=[a-z]*[2-7])(?:[a-z2-7]{${ID_LENGTH}}|[a-z2-7]{${SHORT_ID_LENGTH}})(?!\\w)`, 'g')
