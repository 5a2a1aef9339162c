import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { MakiError } from '../../core/index.ts'

/** The three messages of y-protocols/sync, whose bytes these are. */
export type SyncMessage =
  /** "I have this much (Yjs state vector); send me what I lack." */
  | { readonly kind: 'step1'; readonly vector: Uint8Array }
  /** The answer to it, as a Yjs V1 update. */
  | { readonly kind: 'step2'; readonly update: Uint8Array }
  /** Something new, as a Yjs V1 update. */
  | { readonly kind: 'update'; readonly update: Uint8Array }

/** As in y-protocols/sync, which is not imported because it brings all of Yjs to programs that do without. */
const TYPES = { step1: 0, step2: 1, update: 2 } as const

/** The V1 update that says nothing: no structs, no deletions. */
const EMPTY_UPDATE_BYTES = 2
export const isEmptyUpdate = (update: Uint8Array): boolean => update.length <= EMPTY_UPDATE_BYTES

export function encodeSyncMessage(message: SyncMessage): Uint8Array {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, TYPES[message.kind])
  encoding.writeVarUint8Array(encoder, message.kind === 'step1' ? message.vector : message.update)
  return encoding.toUint8Array(encoder)
}

/** Throws MAKI_PROTOCOL for bytes that are no such message, to the last byte. */
export function parseSyncMessage(bytes: Uint8Array): SyncMessage {
  try {
    const decoder = decoding.createDecoder(bytes)
    const type = decoding.readVarUint(decoder)
    const payload = decoding.readVarUint8Array(decoder)
    if (!decoding.hasContent(decoder)) {
      if (type === TYPES.step1) return { kind: 'step1', vector: payload }
      if (type === TYPES.step2) return { kind: 'step2', update: payload }
      if (type === TYPES.update) return { kind: 'update', update: payload }
    }
  } catch (cause) {
    throw new MakiError('MAKI_PROTOCOL', 'the sync message is cut', { cause })
  }
  throw new MakiError('MAKI_PROTOCOL', 'the sync message is of no known kind')
}
