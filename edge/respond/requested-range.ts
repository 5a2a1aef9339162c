import { type ByteRange, findRange } from '../message/index.ts'
import type { HeaderFields, Plan } from './plan.ts'
import { refuse } from './refuse.ts'
import type { SiteRequest } from './site-request.ts'

/**
 * The part of a representation that a request asks for; undefined where the whole is to be sent. Range is defined for GET only
 * (RFC 9110 section 14.2). If-Range takes nothing but our own strong tag (section 13.1.5): a date would have to say that
 * nothing else was published in its second.
 */
export function findRequestedRange(
  request: SiteRequest,
  etag: string,
  sizeBytes: number,
): ByteRange | 'unsatisfiable' | undefined {
  const asked = request.method === 'GET' ? request.field('range') : undefined
  if (asked === undefined) return undefined
  const ifRange = request.field('if-range')
  return ifRange === undefined || ifRange.trim() === etag ? findRange(asked, sizeBytes) : undefined
}

/** 416, with the size of what there is (RFC 9110 section 15.5.17). */
export function refuseRange(request: SiteRequest, sizeBytes: number, base: HeaderFields): Plan {
  return refuse(request, 416, { ...base, 'accept-ranges': 'bytes', 'content-range': `bytes */${sizeBytes}` })
}

/** What a head says of the part that is sent. */
export function describeRange({ start, end }: ByteRange, sizeBytes: number): Readonly<Record<string, string>> {
  return { 'content-range': `bytes ${start}-${end - 1}/${sizeBytes}`, 'content-length': String(end - start) }
}
