import { decodeMessage, encodeCanonical } from '../../core/index.ts'

/**
 * A value as `--json` prints it: members in one order, so that equal states are equal bytes, whichever way they came about.
 * Null for what is absent.
 */
export const canonicalValue = (value: unknown): unknown =>
  value === undefined || value === null ? null : decodeMessage(encodeCanonical(value))
