/** A network: the first `bits` bits of `octets`, which are 4 or 16. */
export interface Network {
  readonly octets: Uint8Array
  readonly bits: number
}

/** What a table says of an address. */
export interface PrefixMatch<T> {
  readonly value: T | undefined
  /** All addresses that share so many bits with the one that was asked for get the same value: none more specific lies among them. */
  readonly bits: number
}

interface TrieNode<T> {
  value: T | undefined
  zero: TrieNode<T> | undefined
  one: TrieNode<T> | undefined
}

/** Values of networks; of several that hold an address the most specific counts. Of two for one network the last stays. */
export class PrefixTable<T> {
  readonly #ipv4: TrieNode<T> = leaf()
  readonly #ipv6: TrieNode<T> = leaf()

  constructor(entries: Iterable<readonly [Network, T]> = []) {
    for (const [network, value] of entries) this.#add(network, value)
  }

  /** Looks at the first `known` bits alone: what is more specific does not count. */
  find(octets: Uint8Array, known: number = octets.length * 8): PrefixMatch<T> {
    let at = this.#rootFor(octets)
    let value = at.value
    for (let bits = 0; ; bits++) {
      if (at.zero === undefined && at.one === undefined) return { value, bits }
      // It depends on bits that are not known.
      if (bits === known) return { value, bits: known + 1 }
      const next = bitAt(octets, bits) === 0 ? at.zero : at.one
      // The other side differs, so this one is all alike from the next bit on.
      if (next === undefined) return { value, bits: bits + 1 }
      at = next
      value = at.value ?? value
    }
  }

  #add({ octets, bits }: Network, value: T): void {
    let at = this.#rootFor(octets)
    for (let i = 0; i < bits; i++) {
      if (bitAt(octets, i) === 0) {
        at.zero ??= leaf()
        at = at.zero
      } else {
        at.one ??= leaf()
        at = at.one
      }
    }
    at.value = value
  }

  #rootFor(octets: Uint8Array): TrieNode<T> {
    return octets.length === 4 ? this.#ipv4 : this.#ipv6
  }
}

const leaf = <T>(): TrieNode<T> => ({ value: undefined, zero: undefined, one: undefined })

const bitAt = (octets: Uint8Array, index: number): number => ((octets[index >> 3] as number) >> (7 - (index & 7))) & 1
