/** Numbers each distinct text as it comes, so that others keep the number and the text is kept once. */
export class Interned<Text extends string = string> {
  readonly #numbers = new Map<Text, number>()
  readonly #texts: Text[] = []

  constructor(texts: Iterable<Text> = []) {
    for (const text of texts) this.add(text)
  }

  get size(): number {
    return this.#texts.length
  }

  add(text: Text): number {
    const known = this.#numbers.get(text)
    if (known !== undefined) return known
    this.#numbers.set(text, this.#texts.length)
    this.#texts.push(text)
    return this.#texts.length - 1
  }

  find(text: Text): number | undefined {
    return this.#numbers.get(text)
  }

  at(number: number): Text {
    const text = this.#texts[number]
    if (text === undefined) throw new RangeError(`there is no text ${number}`)
    return text
  }

  /** In order of their numbers; a copy. */
  texts(): readonly Text[] {
    return [...this.#texts]
  }
}
