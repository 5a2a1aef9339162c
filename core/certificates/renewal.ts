import { createHash } from 'node:crypto'
import type { HeldCertificate, RenewalReason } from './ports.ts'

const DAY_MS = 86_400_000
/** Below this life half of it is left at a renewal, else a third: days of trouble must fit in. */
const SHORT_LIFE_MS = 10 * DAY_MS
/** Of a life: how far renewals of certificates that were issued together are spread. */
const JITTER = 1 / 20
/** Of a life: how old a certificate is at least when an authority's wish is followed; a hostile one wishes it at once. */
const LEAST_AGE = 1 / 10

/** When a certificate is renewed. */
export interface RenewalTimes {
  /** Milliseconds; 0 where it is long due. */
  readonly dueMs: number
  /** By its own dates alone: what an authority wishes before that is heeded less often. */
  readonly ownMs: number
  /** From then on nothing else is as important: another authority will do, and a name that fails is left out. */
  readonly urgentMs: number
  readonly because: Extract<RenewalReason, 'due' | 'authority' | 'exposed' | 'revoked' | 'directory'>
}

/** What bears on it besides its own dates. */
export interface RenewalFacts {
  /** What its authority would like (RFC 9773). */
  readonly window?: { readonly startMs: number; readonly endMs: number } | undefined
  readonly revoked: boolean
  /** Authorities that are wanted. */
  readonly directories: readonly string[]
}

/** The part of a certificate's life that is left when it is renewed. */
export const renewalShare = (lifeMs: number): number => (lifeMs < SHORT_LIFE_MS ? 1 / 2 : 1 / 3)

/** A number in [0, 1) that everybody makes of the same text. */
export const unitHash = (text: string): number => createHash('sha256').update(text).digest().readUIntBE(0, 6) / 2 ** 48

/**
 * When a certificate is to be renewed, by its own dates, its key, and what authorities say; the same on every node.
 *
 * A third of its life is left then, half of a short one, and up to a twentieth more by chance. An authority may say
 * otherwise (RFC 9773): a moment in its window that everybody agrees on; not later than when half of that share is left,
 * nor while the certificate is new. One that was imported is its owner's to renew until half of that share is left.
 * Pure.
 */
export function judgeRenewal(held: HeldCertificate, { window, revoked, directories }: RenewalFacts): RenewalTimes {
  const { notBeforeMs, notAfterMs, id, directory } = held
  const lifeMs = Math.max(1, notAfterMs - notBeforeMs)
  const imported = directory === undefined
  const shareMs = lifeMs * renewalShare(lifeMs) * (imported ? 1 / 2 : 1)
  const urgentMs = Math.floor(notAfterMs - shareMs / 2)
  if (held.exposed) return { dueMs: 0, ownMs: 0, urgentMs: 0, because: 'exposed' }
  if (revoked) return { dueMs: 0, ownMs: 0, urgentMs: 0, because: 'revoked' }
  if (!imported && !directories.includes(directory)) return { dueMs: 0, ownMs: 0, urgentMs, because: 'directory' }
  const chance = unitHash(`renewal ${id}`)
  const ownMs = Math.floor(notAfterMs - shareMs - chance * lifeMs * JITTER)
  if (window === undefined || imported || !(window.endMs > window.startMs))
    return { dueMs: ownMs, ownMs, urgentMs, because: 'due' }
  const wishedMs = Math.floor(window.startMs + chance * (window.endMs - window.startMs))
  const leastMs = notBeforeMs + Math.min(DAY_MS, lifeMs * LEAST_AGE)
  const dueMs = Math.min(Math.max(wishedMs, leastMs), urgentMs)
  return { dueMs, ownMs, urgentMs, because: dueMs < ownMs ? 'authority' : 'due' }
}

/** True where a certificate with these names is valid for a name (RFC 9525 section 6.3). A wildcard's own is itself. */
export function coversName(names: readonly string[], name: string): boolean {
  if (names.includes(name)) return true
  const dot = name.indexOf('.')
  return !name.startsWith('*.') && names.includes(`*${name.slice(dot)}`)
}
