import type { Coding } from '../message/index.ts'

/** One encoding to be made. Levels as the coding counts them. */
export interface EncodingStep {
  readonly coding: Coding
  readonly level: number
}

const MIB = 1024 * 1024

/**
 * Which encodings are made of a file of this size, in this order: gzip is ready at once and all that browsers take without
 * TLS; br serves most visitors. Levels are the highest whose time was seconds when measured (docs/compression.md): br 11
 * takes 1.7 s for a MiB, 10 half of that, 9 a twentieth.
 */
export function planEncodings(sizeBytes: number): readonly EncodingStep[] {
  return [
    { coding: 'gzip', level: 9 },
    { coding: 'br', level: sizeBytes <= MIB ? 11 : sizeBytes <= 8 * MIB ? 10 : 9 },
    { coding: 'zstd', level: sizeBytes <= 8 * MIB ? 19 : 12 },
  ]
}

/** What saves less than a twentieth costs disk and a client's time for nothing. */
const MOST_KEPT = 0.95

/** Whether an encoding saves enough to be kept. */
export function isWorthKeeping(sizeBytes: number, encodedBytes: number): boolean {
  return encodedBytes <= sizeBytes * MOST_KEPT
}
