import { MOST_GIVEN } from './host-messages.ts'

/** Thrown where a guest gives more than its answer may hold. */
export class TooLarge extends Error {
  constructor(what: string) {
    super(what)
    this.name = 'TooLarge'
  }
}

/** Beside its bytes, what a string or a list of bytes costs here. */
const EACH_BYTES = 64
let left = 0
let copiesLeft = 0

/** So many bytes of strings may come out of the guest from now on, and as many of lists of bytes as may at a time. */
export function setBudget(bytes: number): void {
  left = bytes
  refillCopies()
}

/** What came out as lists of bytes so far is with its owner, or is no more. */
export function refillCopies(): void {
  copiesLeft = MOST_GIVEN.copiedBytes
}

/**
 * Puts a decoder in the place of the platform's that counts, and copies of memory that do: a guest may name one large string
 * a million times in a list, and would have it copied as often. To be called before the glue is evaluated, which makes its decoder once.
 */
export function installBudget(): void {
  const Plain = globalThis.TextDecoder
  globalThis.TextDecoder = class extends Plain {
    override decode(...args: Parameters<TextDecoder['decode']>): string {
      left -= (args[0]?.byteLength ?? 0) + EACH_BYTES
      if (left < 0) throw new TooLarge('the strings that it gave are too long together')
      return super.decode(...args)
    }
  }
  const { slice } = ArrayBuffer.prototype
  ArrayBuffer.prototype.slice = function (this: ArrayBuffer, start = 0, end = this.byteLength): ArrayBuffer {
    // As the glue calls it: with positions that count from the start.
    copiesLeft -= Math.max(0, Math.min(end, this.byteLength) - start) + EACH_BYTES
    if (copiesLeft < 0) throw new TooLarge('the lists of bytes that it gave are too long together')
    return slice.call(this, start, end)
  }
}
