import { Decoder, Encoder, ExtensionCodec } from '@msgpack/msgpack'
import { isPlainlyCanonical } from './canonical-form.ts'
import { checkMessageShape, MAX_DEPTH } from './message-shape.ts'

/** Knows no extension, not even the timestamp: what we sign has one spelling. */
const noExtensions = new (class extends ExtensionCodec {
  override tryToEncode(): null {
    return null
  }
  override decode(): never {
    throw new Error('MessagePack extensions are not used here')
  }
})()

const encoder = new Encoder({
  extensionCodec: noExtensions,
  sortKeys: true,
  ignoreUndefined: true,
  maxDepth: MAX_DEPTH,
})
const decoder = new Decoder({ extensionCodec: noExtensions, rawStrings: false })

/** The one canonical encoding: map keys sorted, integers in their shortest form, `undefined` members left out. */
export function encodeCanonical(value: unknown): Uint8Array<ArrayBuffer> {
  return encoder.encode(value) as Uint8Array<ArrayBuffer>
}

/**
 * Decodes MessagePack; throws an Error on malformed bytes. Depth is bounded, and memory by some sixty times the number
 * of bytes: for what may be longer than a few megabytes `maxValues` says how many values there can be at all, keys and
 * elements together. Does not check that they are canonical. Binary members are views of `bytes`.
 */
export function decodeMessage(bytes: Uint8Array, maxValues?: number): unknown {
  checkMessageShape(bytes, maxValues)
  return decoder.decode(bytes)
}

/** True when `bytes`, from which `value` was decoded, are exactly what `encodeCanonical` makes of it. */
export function isCanonical(bytes: Uint8Array, value: unknown): boolean {
  return isPlainlyCanonical(bytes) || isEncodingOf(bytes, value)
}

/** As `isCanonical`, for any bytes and in every case; a walk over the bytes answers most cases in a tenth of the time. */
export function isEncodingOf(bytes: Uint8Array, value: unknown): boolean {
  let again: Uint8Array
  try {
    again = encoder.encodeSharedRef(value)
  } catch {
    return false
  }
  return again.length === bytes.length && Buffer.compare(again, bytes) === 0
}
