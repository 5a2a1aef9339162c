import type { ManifestFile } from '../../core/index.ts'
import { findRange, matchesStrongly, mediaHeaders } from '../message/index.ts'
import { chooseRepresentation, findKnownTag, type Representation } from './choose-encoding.ts'
import type { HeaderFields, Plan } from './plan.ts'
import { refuse } from './refuse.ts'
import type { SiteRequest } from './site-request.ts'
import type { Variants } from './variants.ts'

/** Conditions are evaluated in the order of RFC 9110 section 13.2.2; there are no modification dates. */
export function serveFile(
  request: SiteRequest,
  file: ManifestFile,
  base: HeaderFields,
  variants?: Variants | undefined,
): Plan {
  const chosen = chooseRepresentation(request, file, base, variants)
  const { etag } = chosen
  const headers: Record<string, string | string[]> = {
    ...chosen.headers,
    etag,
    'cache-control': mediaHeaders(file.path).cacheControl,
    'accept-ranges': 'bytes',
  }
  const ifMatch = request.field('if-match')
  if (ifMatch !== undefined && !matchesStrongly(ifMatch, etag)) return refuse(request, 412, base)
  const ifNoneMatch = request.field('if-none-match')
  const known = ifNoneMatch === undefined ? undefined : findKnownTag(ifNoneMatch, request, file, chosen)
  if (known !== undefined) return { status: 304, headers: { ...headers, etag: known }, body: { kind: 'none' } }
  // Range is defined for GET only, and If-Range takes nothing but our own strong tag (RFC 9110 sections 13.1.5 and 14.2).
  const asked = request.method === 'GET' ? request.field('range') : undefined
  const ifRange = asked === undefined ? undefined : request.field('if-range')
  const wanted = asked !== undefined && (ifRange === undefined || ifRange.trim() === etag)
  const range = wanted ? findRange(asked, chosen.sizeBytes) : undefined
  if (range === undefined) return sendWhole(request, 200, file, chosen, headers)
  if (range === 'unsatisfiable') {
    return refuse(request, 416, { ...base, 'accept-ranges': 'bytes', 'content-range': `bytes */${chosen.sizeBytes}` })
  }
  const { start, end } = range
  headers['content-type'] = mediaHeaders(file.path).contentType
  Object.assign(headers, chosen.contentHeaders)
  headers['content-range'] = `bytes ${start}-${end - 1}/${chosen.sizeBytes}`
  headers['content-length'] = String(end - start)
  const whole = start === 0 && end === chosen.sizeBytes
  return {
    status: 206,
    headers,
    body: { kind: 'blob', hash: file.hash, start, end, whole, variant: chosen.variant },
  }
}

/** The whole of a file, with a status and without conditions. */
export function serveWhole(
  request: SiteRequest,
  status: number,
  file: ManifestFile,
  base: HeaderFields,
  variants?: Variants | undefined,
): Plan {
  const chosen = chooseRepresentation(request, file, base, variants)
  return sendWhole(request, status, file, chosen, chosen.headers)
}

function sendWhole(
  request: SiteRequest,
  status: number,
  file: ManifestFile,
  chosen: Representation,
  base: HeaderFields,
): Plan {
  const { sizeBytes, variant, contentHeaders } = chosen
  const headers = {
    ...base,
    'content-type': mediaHeaders(file.path).contentType,
    ...contentHeaders,
    'content-length': String(sizeBytes),
  }
  if (request.method === 'HEAD') return { status, headers, body: { kind: 'none' } }
  return {
    status,
    headers,
    body: { kind: 'blob', hash: file.hash, start: 0, end: sizeBytes, whole: true, variant },
  }
}
