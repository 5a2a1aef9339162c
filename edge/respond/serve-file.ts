import { evaluateConditions } from '../message/index.ts'
import { chooseRepresentation, findKnownTag, type Representation } from './choose-encoding.ts'
import type { HeaderFields, Plan } from './plan.ts'
import { refuse } from './refuse.ts'
import { describeRange, findRequestedRange, refuseRange } from './requested-range.ts'
import { addMade, mediaOf, type ServedFile, sourceOf } from './served-file.ts'
import type { SiteRequest } from './site-request.ts'
import type { Variants } from './variants.ts'

/** A file, or what the conditions and the range of the request leave of it. */
export function serveFile(
  request: SiteRequest,
  file: ServedFile,
  base: HeaderFields,
  variants?: Variants | undefined,
  lastModified?: string | undefined,
): Plan {
  const chosen = chooseRepresentation(request, file, base, variants)
  const { etag } = chosen
  const media = mediaOf(file)
  const tagged = { ...chosen.headers, etag, 'cache-control': media.cacheControl, 'accept-ranges': 'bytes' }
  const headers: Record<string, string | string[]> = { ...addMade(tagged, file, true) }
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
  headers['content-type'] = media.contentType
  Object.assign(headers, chosen.contentHeaders, describeRange(range, chosen.sizeBytes))
  const whole = start === 0 && end === chosen.sizeBytes
  return {
    status: 206,
    headers,
    body: { kind: 'blob', ...sourceOf(file), start, end, whole, variant: chosen.variant },
  }
}

/** The whole of a file, with a status and without conditions. */
export function serveWhole(
  request: SiteRequest,
  status: number,
  file: ServedFile,
  base: HeaderFields,
  variants?: Variants | undefined,
): Plan {
  const chosen = chooseRepresentation(request, file, base, variants)
  return sendWhole(request, status, file, chosen, addMade(chosen.headers, file, false))
}

function sendWhole(
  request: SiteRequest,
  status: number,
  file: ServedFile,
  chosen: Representation,
  base: HeaderFields,
): Plan {
  const { sizeBytes, variant, contentHeaders } = chosen
  const headers = {
    ...base,
    'content-type': mediaOf(file).contentType,
    ...contentHeaders,
    'content-length': String(sizeBytes),
  }
  if (request.method === 'HEAD') return { status, headers, body: { kind: 'none' } }
  return {
    status,
    headers,
    body: { kind: 'blob', ...sourceOf(file), start: 0, end: sizeBytes, whole: true, variant },
  }
}
