/** Bytes [start, end) of a representation. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

const ENTITY_TAG = /(W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g

/** True when an If-None-Match header names the entity tag: `*`, or a list, compared weakly (RFC 9110 section 13.1.2). */
export function matchesWeakly(header: string, entityTag: string): boolean {
  if (header.trim() === '*') return true
  for (const match of header.matchAll(ENTITY_TAG)) if (match[2] === entityTag) return true
  return false
}

/** True when an If-Match header names the entity tag: `*`, or a list, compared strongly (RFC 9110 section 13.1.1). */
export function matchesStrongly(header: string, entityTag: string): boolean {
  if (header.trim() === '*') return true
  for (const match of header.matchAll(ENTITY_TAG)) if (match[1] === undefined && match[2] === entityTag) return true
  return false
}

/**
 * The one range that a Range header asks for (RFC 9110 section 14.2): undefined where the whole is to be sent, because
 * the header is no valid one, has another unit, asks for several ranges, or the representation is empty.
 */
export function findRange(header: string, sizeBytes: number): ByteRange | 'unsatisfiable' | undefined {
  const match = /^bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*$/i.exec(header)
  if (match === null || sizeBytes === 0) return undefined
  const [, first, last] = match as unknown as [string, string, string]
  if (first === '') {
    if (last === '') return undefined
    const suffix = Number(last)
    return suffix === 0 ? 'unsatisfiable' : { start: Math.max(0, sizeBytes - suffix), end: sizeBytes }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return undefined
  if (start >= sizeBytes) return 'unsatisfiable'
  return { start, end: last === '' ? sizeBytes : Math.min(sizeBytes, Number(last) + 1) }
}
