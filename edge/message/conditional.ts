import { findHttpDate } from './http-date.ts'

/** What a request's conditions are compared with. */
export interface Validators {
  /** Strong, with its quotes. */
  readonly etag: string
  /** An HTTP date; undefined where nobody knows. */
  readonly lastModified: string | undefined
}

/** Reads a field of the request; its name is in lower case. */
export type ReadField = (name: string) => string | undefined

/**
 * What the conditions of a GET or HEAD make of its answer, in the order of RFC 9110 section 13.2.2. `knownTag` gives the tag
 * that an If-None-Match names, if it names one of ours. A date that is none is passed over, and so is a date where we have
 * none.
 */
export function evaluateConditions(
  field: ReadField,
  { etag, lastModified }: Validators,
  knownTag: (ifNoneMatch: string) => string | undefined,
): { readonly kind: 'proceed' | 'failed' } | { readonly kind: 'not-modified'; readonly etag: string } {
  const ifMatch = field('if-match')
  if (ifMatch !== undefined) {
    if (!matchesStrongly(ifMatch, etag)) return FAILED
  } else if (lastModified !== undefined) {
    const since = field('if-unmodified-since')
    if (since !== undefined && isLater(lastModified, since) === true) return FAILED
  }
  const ifNoneMatch = field('if-none-match')
  if (ifNoneMatch !== undefined) {
    const known = knownTag(ifNoneMatch)
    return known === undefined ? PROCEED : { kind: 'not-modified', etag: known }
  }
  if (lastModified === undefined) return PROCEED
  const since = field('if-modified-since')
  return since !== undefined && isLater(lastModified, since) === false ? { kind: 'not-modified', etag } : PROCEED
}

const PROCEED = { kind: 'proceed' } as const
const FAILED = { kind: 'failed' } as const

/** Undefined where `than` is no date. */
function isLater(date: string, than: string): boolean | undefined {
  if (date === than) return false
  const ours = findHttpDate(date)
  const theirs = findHttpDate(than)
  return ours === undefined || theirs === undefined ? undefined : ours > theirs
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
