import { MakiError } from '../errors.ts'
import { ID_BYTES } from '../ids.ts'
import { checkPath } from './site-path.ts'

/** A manifest taken apart, checked. */
export interface ManifestContent {
  readonly paths: readonly string[]
  /** Where each path stands in `paths`. */
  readonly index: ReadonlyMap<string, number>
  readonly sizes: readonly number[]
  /** ID_BYTES for each path; a view of the content. */
  readonly hashes: Uint8Array
}

export const MANIFEST_FORMAT = 1
/** A path of one byte costs some twenty when it is read: a quarter of a gigabyte of them would end the process. */
export const MAX_FILES = 1_000_000
/** So many paths are read in one step: some milliseconds. */
const STEP_FILES = 2048
/** Of numbers, which cost less. */
const STEP_SIZES = 32_768
/** What a decoder writes for bytes that are no UTF-8. */
const REPLACEMENT = '\ufffd'

/**
 * Reads the content of a manifest, the canonical MessagePack array `[1, paths, sizes, hashes]`, in steps: whoever runs it may
 * do something else after each `yield`. Throws MAKI_INVALID for all that `Manifest.encode` does not write.
 */
export function* readManifestContent(content: Uint8Array): Generator<undefined, ManifestContent> {
  const reader = new Reader(content)
  if (reader.byte() !== 0x94 || reader.byte() !== MANIFEST_FORMAT) throw malformed('it has another format')
  const count = reader.arrayLength()
  if (count > MAX_FILES) throw malformed(`it has more than ${MAX_FILES} files`)
  const paths: string[] = []
  const index = new Map<string, number>()
  for (let i = 0; i < count; i++) {
    const path = reader.text()
    if (i > 0 && path <= (paths[i - 1] as string)) throw malformed('its paths are not sorted')
    checkPath(path)
    paths.push(path)
    index.set(path, i)
    if (i % STEP_FILES === STEP_FILES - 1) yield
  }
  if (reader.arrayLength() !== count) throw malformed('its parts differ in length')
  const sizes: number[] = []
  for (let i = 0; i < count; i++) {
    sizes.push(reader.wholeNumber())
    if (i % STEP_SIZES === STEP_SIZES - 1) yield
  }
  const hashes = reader.binary()
  if (hashes.length !== count * ID_BYTES) throw malformed('its parts differ in length')
  if (reader.left !== 0) throw malformed('bytes follow it')
  return { paths, index, sizes, hashes }
}

/** MAKI_INVALID, with what is wrong with a manifest. */
export function malformed(why: string, cause?: unknown): MakiError {
  return new MakiError('MAKI_INVALID', `the manifest is not valid: ${why}`, { cause })
}

/** Reads MessagePack values one after another, each in its shortest form only. */
class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  byte(): number {
    return this.#number(1)
  }

  arrayLength(): number {
    const type = this.byte()
    if (type >= 0x90 && type <= 0x9f) return type & 0x0f
    if (type === 0xdc) return this.#above(0x0f, 2)
    if (type === 0xdd) return this.#above(0xffff, 4)
    throw malformed('its parts have wrong types')
  }

  text(): string {
    const type = this.byte()
    const length =
      type >= 0xa0 && type <= 0xbf
        ? type & 0x1f
        : type === 0xd9
          ? this.#above(0x1f, 1)
          : type === 0xda
            ? this.#above(0xff, 2)
            : undefined
    // None is so long that its length took four bytes.
    if (length === undefined) throw malformed('its paths are no paths')
    const bytes = this.#take(length)
    const text = bytes.toString('utf8')
    if (text.includes(REPLACEMENT) && !Buffer.from(text).equals(bytes)) throw malformed('a path is not UTF-8')
    return text
  }

  wholeNumber(): number {
    const type = this.byte()
    if (type < 0x80) return type
    if (type === 0xcc) return this.#above(0x7f, 1)
    if (type === 0xcd) return this.#above(0xff, 2)
    if (type === 0xce) return this.#above(0xffff, 4)
    const size = type === 0xcf ? this.#above(0, 4) * 2 ** 32 + this.#number(4) : Number.NaN
    if (!Number.isSafeInteger(size)) throw malformed('a size is not a number of bytes')
    return size
  }

  binary(): Uint8Array {
    const type = this.byte()
    if (type === 0xc4) return this.#take(this.byte())
    if (type === 0xc5) return this.#take(this.#above(0xff, 2))
    if (type === 0xc6) return this.#take(this.#above(0xffff, 4))
    throw malformed('its parts have wrong types')
  }

  /** A number that needs so many bytes, since it is above what fewer hold. */
  #above(least: number, width: 1 | 2 | 4): number {
    const number = this.#number(width)
    if (number <= least) throw malformed('it is not in canonical form')
    return number
  }

  #number(width: 1 | 2 | 4): number {
    const at = this.#at
    this.#skip(width)
    return this.#bytes.readUIntBE(at, width)
  }

  #take(length: number): Buffer {
    const at = this.#at
    this.#skip(length)
    return this.#bytes.subarray(at, this.#at)
  }

  #skip(length: number): void {
    if (length > this.left) throw malformed('it ends early')
    this.#at += length
  }
}
