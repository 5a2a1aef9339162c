/** Thrown where a guest gives more than its answer may hold. */
export class TooLarge extends Error {
  constructor(what: string) {
    super(what)
    this.name = 'TooLarge'
  }
}

/** Beside its bytes, what a string costs here. */
const STRING_BYTES = 64
let left = 0

/** So many bytes of strings may come out of the guest from now on. */
export function setBudget(bytes: number): void {
  left = bytes
}

/**
 * Puts a decoder in the place of the platform's that counts: a guest may name one large string a million times in a list,
 * and would have it copied as often. To be called before the glue is evaluated, which makes its decoder once.
 */
export function installBudget(): void {
  const Plain = globalThis.TextDecoder
  globalThis.TextDecoder = class extends Plain {
    override decode(...args: Parameters<TextDecoder['decode']>): string {
      left -= (args[0]?.byteLength ?? 0) + STRING_BYTES
      if (left < 0) throw new TooLarge('the strings that it gave are too long together')
      return super.decode(...args)
    }
  }
}
