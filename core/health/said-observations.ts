import * as v from 'valibot'
import type { MemberKey } from '../ids.ts'
import { FACES, type Face } from './probe-target.ts'

/** What a node saw of one face of another: `true` is up, a text is down and says why. */
export type SaidObservation = true | string

/** What a node says in awareness of the faces of others: small, sorted, without times, so that it changes only with what is seen. */
export type SaidObservations = Readonly<Record<string, Readonly<Partial<Record<Face, SaidObservation>>>>>

/** What `buildSaid` takes. */
export interface SeenFace {
  readonly key: MemberKey
  readonly face: Face
  readonly state: 'up' | 'down'
  readonly reason: string | undefined
}

/** An awareness entry has 64 KiB for all that a node says. */
export const MAX_SAID_BYTES = 3 * 1024
export const MAX_REASON_LENGTH = 60
/** A key, what MessagePack spends on it and on the map of its faces. */
const KEY_BYTES = 52 + 2 + 1
/** A face and a word that is empty or `true`. */
const FACE_BYTES = 3 + 1
/** What a length above 31 takes more. */
const LENGTH_BYTES = 1

/** Sorted by key and face. Beyond the bound, reasons go first and then the last faces. */
export function buildSaid(seen: readonly SeenFace[]): SaidObservations {
  const ordered = [...seen].sort((a, b) => compare(a.key, b.key) || compare(a.face, b.face))
  const said: Record<string, Partial<Record<Face, SaidObservation>>> = {}
  let sizeBytes = 0
  const kept = ordered.filter(({ key, face, state }) => {
    const faces = said[key]
    const costBytes = FACE_BYTES + (faces === undefined ? KEY_BYTES : 0)
    if (sizeBytes + costBytes > MAX_SAID_BYTES) return false
    sizeBytes += costBytes
    said[key] = { ...faces, [face]: state === 'up' ? true : '' }
    return true
  })
  for (const { key, face, state, reason } of kept) {
    if (state === 'up' || reason === undefined) continue
    const text = cleanReason(reason)
    const costBytes = text.length + LENGTH_BYTES
    if (sizeBytes + costBytes > MAX_SAID_BYTES) break
    sizeBytes += costBytes
    said[key] = { ...said[key], [face]: text }
  }
  return said
}

const observation = v.fallback(v.optional(v.union([v.literal(true), v.string()])), undefined)
const facesSchema = v.object({ w4: observation, w6: observation, d4: observation, d6: observation })

/**
 * Reads leniently what a node says of one other; what is not understood is as if it were not said. Never throws, and
 * takes no longer for what is larger.
 */
export function readSaid(said: unknown, of: MemberKey): ReadonlyMap<Face, SaidObservation> {
  if (typeof said !== 'object' || said === null || !Object.hasOwn(said, of)) return new Map()
  const faces = v.safeParse(facesSchema, (said as Record<string, unknown>)[of])
  if (!faces.success) return new Map()
  return new Map(
    FACES.flatMap((face) => {
      const word = faces.output[face]
      return word === undefined ? [] : [[face, word === true ? true : cleanReason(word)] as const]
    }),
  )
}

/** Short printable ASCII: it comes from the network, and ends on terminals. */
export const cleanReason = (text: string): string => text.slice(0, MAX_REASON_LENGTH).replace(/[^\x20-\x7e]/g, '?')

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
