import { hash } from 'node:crypto'
import { encodeCanonical } from '../encoding/index.ts'
import { ID_BYTES } from '../ids.ts'
import type { Entry, Key } from '../state/index.ts'

/**
 * Raised when the same operations fold to another state than before: replicas compare digests, and take over checkpoints,
 * only at equal versions. `test/core/fold/golden-fold.test.ts` fails when it should have been raised.
 */
export const FOLD_VERSION = 6

/** What two replicas compare: equal ids and equal fold version imply equal state. */
export interface Digest {
  readonly version: number
  /** XOR of the ids of all operations added, 64 hexadecimal digits. */
  readonly ids: string
  /** XOR of the hashes of all entries, 64 hexadecimal digits. */
  readonly state: string
  readonly count: number
}

/** Order-independent digests, brought up to date when they are asked for: a burst of changes to a key is hashed once. */
export class DigestKeeper {
  readonly #ids = Buffer.alloc(ID_BYTES)
  readonly #state: Buffer
  /** What the digest holds of a key that has changed since. */
  readonly #stale = new Map<Key, { was: Entry | undefined; is: Entry | undefined }>()

  /** `state` is the digest of a state that is taken over. */
  constructor(state = '00'.repeat(ID_BYTES)) {
    this.#state = Buffer.from(state, 'hex')
  }

  /** Takes an operation in by the bytes of its id. */
  addOperation(id: Uint8Array): void {
    xorInto(this.#ids, id)
  }

  replace(was: Entry | undefined, is: Entry | undefined): void {
    const key = (is ?? was)?.key
    if (key === undefined) return
    const known = this.#stale.get(key)
    this.#stale.set(key, { was: known === undefined ? was : known.was, is })
  }

  read(): { ids: string; state: string } {
    for (const { was, is } of this.#stale.values()) {
      if (was !== undefined) xorInto(this.#state, hashEntry(was))
      if (is !== undefined) xorInto(this.#state, hashEntry(is))
    }
    this.#stale.clear()
    return { ids: this.#ids.toString('hex'), state: this.#state.toString('hex') }
  }
}

function hashEntry(entry: Entry): Uint8Array {
  return hash('sha256', encodeCanonical([entry.key, entry.value, entry.operation, entry.via ?? '']), 'buffer')
}

function xorInto(target: Uint8Array, bytes: Uint8Array): void {
  for (let i = 0; i < target.length; i++) target[i] = (target[i] as number) ^ (bytes[i] as number)
}
