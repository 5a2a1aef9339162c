import type { ManifestFile } from '../../core/index.ts'
import { evaluateConditions, mediaHeaders } from '../message/index.ts'
import { chooseRepresentation, findKnownTag, type Representation } from './choose-encoding.ts'
import type { HeaderFields, Plan } from './plan.ts'
import { refuse } from './refuse.ts'
import { describeRange, findRequestedRange, refuseRange } from './requested-range.ts'
import type { SiteRequest } from './site-request.ts'
import type { Variants } from './variants.ts'

/** A file, or what the conditions and the range of the request leave of it. */
export function serveFile(
  request: SiteRequest,
  file: ManifestFile,
  base: HeaderFields,
  variants?: Variants | undefined,
  lastModified?: string | undefined,
): Plan {
  const chosen = chooseRepresentation(request, file, base, variants)
  const { etag } = chosen
  const headers: Record<string, string | string[]> = {
    ...chosen.headers,
    etag,
    'cache-control': mediaHeaders(file.path).cacheControl,
    'accept-ranges': 'bytes',
  }
  if (lastModified !== undefined) headers['last-modified'] = lastModified
  const conditions = evaluateConditions(
    (name) => request.field(name),
    { etag, lastModified },
    (ifNoneMatch) => findKnownTag(ifNoneMatch, request, file, chosen),
  )
  if (conditions.kind === 'failed') return refuse(request, 412, base)
  if (conditions.kind === 'not-modified')
    return { status: 304, headers: { ...headers, etag: conditions.etag }, body: { kind: 'none' } }
  const range = findRequestedRange(request, etag, chosen.sizeBytes)
  if (range === undefined) return sendWhole(request, 200, file, chosen, headers)
  if (range === 'unsatisfiable') return refuseRange(request, chosen.sizeBytes, base)
  const { start, end } = range
  headers['content-type'] = mediaHeaders(file.path).contentType
  Object.assign(headers, chosen.contentHeaders, describeRange(range, chosen.sizeBytes))
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
