/** A priority queue: the least of `n` items is taken in about log n comparisons (Williams, "Heapsort", 1964). */
export class Heap<Item> {
  readonly #items: Item[] = []
  readonly #compare: (a: Item, b: Item) => number

  constructor(compare: (a: Item, b: Item) => number) {
    this.#compare = compare
  }

  push(item: Item): void {
    const items = this.#items
    let at = items.push(item) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.#compare(items[parent] as Item, item) <= 0) break
      items[at] = items[parent] as Item
      at = parent
    }
    items[at] = item
  }

  /** Takes out the least item; undefined when there is none. */
  pop(): Item | undefined {
    const items = this.#items
    const least = items[0]
    const last = items.pop()
    if (last === undefined || items.length === 0) return least
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if (child + 1 < items.length && this.#compare(items[child + 1] as Item, items[child] as Item) < 0) child++
      if (this.#compare(last, items[child] as Item) <= 0) break
      items[at] = items[child] as Item
      at = child
    }
    items[at] = last
    return least
  }
}
