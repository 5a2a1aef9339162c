import type { ManifestFile } from '../../core/index.ts'
import { findRange, matchesStrongly, matchesWeakly, mediaHeaders } from '../message/index.ts'
import type { HeaderFields, Plan } from './plan.ts'
import { refuse } from './refuse.ts'
import type { SiteRequest } from './site-request.ts'

/** Conditions are evaluated in the order of RFC 9110 section 13.2.2; there are no modification dates. */
export function serveFile(request: SiteRequest, file: ManifestFile, base: HeaderFields): Plan {
  const etag = `"${file.hash}"`
  const headers: Record<string, string | string[]> = {
    ...base,
    etag,
    'cache-control': mediaHeaders(file.path).cacheControl,
    'accept-ranges': 'bytes',
  }
  const ifMatch = request.field('if-match')
  if (ifMatch !== undefined && !matchesStrongly(ifMatch, etag)) return refuse(request, 412, base)
  const ifNoneMatch = request.field('if-none-match')
  if (ifNoneMatch !== undefined && matchesWeakly(ifNoneMatch, etag))
    return { status: 304, headers, body: { kind: 'none' } }
  // Range is defined for GET only, and If-Range takes nothing but our own strong tag (RFC 9110 sections 13.1.5 and 14.2).
  const asked = request.method === 'GET' ? request.field('range') : undefined
  const ifRange = asked === undefined ? undefined : request.field('if-range')
  const wanted = asked !== undefined && (ifRange === undefined || ifRange.trim() === etag)
  const range = wanted ? findRange(asked, file.sizeBytes) : undefined
  if (range === undefined) return serveWhole(request, 200, file, headers)
  if (range === 'unsatisfiable') {
    return refuse(request, 416, { ...base, 'accept-ranges': 'bytes', 'content-range': `bytes */${file.sizeBytes}` })
  }
  const { start, end } = range
  headers['content-type'] = mediaHeaders(file.path).contentType
  headers['content-range'] = `bytes ${start}-${end - 1}/${file.sizeBytes}`
  headers['content-length'] = String(end - start)
  const whole = start === 0 && end === file.sizeBytes
  return { status: 206, headers, body: { kind: 'blob', hash: file.hash, start, end, whole } }
}

/** The whole of a file, with a status. */
export function serveWhole(request: SiteRequest, status: number, file: ManifestFile, base: HeaderFields): Plan {
  const headers = {
    ...base,
    'content-type': mediaHeaders(file.path).contentType,
    'content-length': String(file.sizeBytes),
  }
  if (request.method === 'HEAD') return { status, headers, body: { kind: 'none' } }
  return { status, headers, body: { kind: 'blob', hash: file.hash, start: 0, end: file.sizeBytes, whole: true } }
}
