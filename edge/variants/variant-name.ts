import { type BlobHash, isBlobHash } from '../../core/index.ts'
import { CODINGS } from '../message/index.ts'
import type { Variant } from '../respond/index.ts'
import type { VariantRecord } from './variant-record.ts'

const NAME = /^([0-9a-f]{64})\.([a-z]{2,4})\.([1-9][0-9]{0,9})\.([0-9a-f]{16})$/

/**
 * Where an encoding lies below the folder of encodings: `<first two digits>/<hash>.<coding>.<size>.<check>`. The name says
 * all that is known of it, so that it cannot be separated from its bytes: what is made anew and differs has another name.
 */
export function variantPath(hash: BlobHash, { coding, sizeBytes, check }: Variant): string {
  return `${hash.slice(0, 2)}/${hash}.${coding}.${sizeBytes}.${check}`
}

/** What a name in that folder stands for; undefined for any other. */
export function findVariantRecord(name: string): VariantRecord | undefined {
  const match = NAME.exec(name)
  if (match === null) return undefined
  const [, hash, text, size, check] = match as unknown as [string, string, string, string, string]
  const coding = CODINGS.find((one) => one === text)
  const sizeBytes = Number(size)
  if (coding === undefined || sizeBytes > 0xffff_ffff || !isBlobHash(hash)) return undefined
  return { hash, coding, sizeBytes, check }
}
