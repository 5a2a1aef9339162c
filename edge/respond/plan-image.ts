import type { Hostname } from '../../core/index.ts'
import {
  buildJob,
  chooseFormat,
  entityTagOf,
  findEntityTag,
  findImageFormat,
  type ImageFormat,
  type ImageJob,
  mediaTypeOf,
  parseParameters,
} from '../images/index.ts'
import { addVary, matchesStrongly, matchesWeakly, withoutParameters } from '../message/index.ts'
import type { Images } from './images.ts'
import type { Learnt, Need } from './need.ts'
import type { HeaderFields, Plan } from './plan.ts'
import { explain, refuse } from './refuse.ts'
import { describeRange, findRequestedRange, refuseRange } from './requested-range.ts'
import { addMade, mediaOf, type ServedFile } from './served-file.ts'
import type { SiteRequest } from './site-request.ts'

/** What an image is decided from, besides the request. */
export interface ImageContext {
  readonly domain: Hostname
  readonly file: ServedFile
  /** With its `?`, or empty. */
  readonly query: string
  /** What every answer of the site says. */
  readonly base: HeaderFields
  readonly learnt: Learnt
  /** Undefined where none are made. */
  readonly images: Images | undefined
}

/**
 * Serves a file through `serve`, or what its query asks to be made of it. A file is served as it is where it is no image
 * that is transformed here, where the query has no parameter of ours, and where `fmt=auto` alone comes to what it is
 * already. A result that is not at hand is a need; whether a tag is one of its job is known before, so that a 304 costs no
 * decoding.
 */
export function serveImage(
  request: SiteRequest,
  context: ImageContext,
  serve: (base: HeaderFields) => Plan,
): Plan | Need {
  const { images, file, query, base } = context
  const original = query === '' ? undefined : findFormat(file)
  if (images === undefined || original === undefined) return serve(base)
  const { settings } = images
  const parsed = parseParameters(query, settings)
  if (parsed.kind === 'none') return serve(base)
  if (parsed.kind === 'bad') return explain(request, 400, parsed.reason, base)
  const { parameters } = parsed
  if (parameters.format !== 'auto')
    return planJob(request, context, buildJob(file, parameters, parameters.format ?? original, settings), base)
  const varied = { ...base, vary: addVary(base.vary, 'accept') }
  const format = chooseFormat(original, request.field('accept'), settings.formats)
  const { width, height, quality } = parameters
  if (format === original && (width ?? height ?? quality) === undefined) return serve(varied)
  return planJob(request, context, buildJob(file, parameters, format, settings), varied)
}

function planJob(request: SiteRequest, context: ImageContext, job: ImageJob, base: HeaderFields): Plan | Need {
  const { file, learnt, images, domain } = context
  const common = { 'cache-control': mediaOf(file).cacheControl, ...base, 'accept-ranges': 'bytes' }
  const headers = addMade(common, file, true)
  const ifMatch = request.field('if-match')
  const mayMatch = ifMatch === undefined || ifMatch.trim() === '*' || findEntityTag(ifMatch, job) !== undefined
  if (!mayMatch) return refuse(request, 412, base)
  const ifNoneMatch = request.field('if-none-match')
  // As for encodings (`findKnownTag`): what another node made of the job is as good, and the client has it.
  const known = ifMatch === undefined && ifNoneMatch !== undefined ? findEntityTag(ifNoneMatch, job) : undefined
  if (known !== undefined) return { status: 304, headers: { ...headers, etag: known }, body: NONE }
  const outcome = learnt.image ?? images?.find(job)
  if (outcome?.kind === 'done') {
    const etag = entityTagOf(job, outcome.check)
    if (ifMatch !== undefined && !matchesStrongly(ifMatch, etag)) return refuse(request, 412, base)
    if (ifNoneMatch !== undefined && matchesWeakly(ifNoneMatch, etag))
      return { status: 304, headers: { ...headers, etag }, body: NONE }
    const tagged = { ...headers, etag, 'content-type': mediaTypeOf(job.format) }
    return sendImage(request, outcome.bytes, tagged, base)
  }
  // Asked for in both cases: what depends on who asks, or will be otherwise in a while, must not be remembered.
  const client = request.client().address
  if (outcome === undefined) return { kind: 'image', domain, job, client }
  const { status, reason, retryAfterS } = outcome
  const retry = retryAfterS === undefined ? base : { ...base, 'retry-after': String(retryAfterS) }
  return explain(request, status, reason, retry)
}

/** What an image is by its name; undefined where a transform made something else of it, which is then sent as it is. */
function findFormat({ path, made }: ServedFile): ImageFormat | undefined {
  const format = findImageFormat(path)
  if (format === undefined || made?.mimeType === undefined) return format
  return withoutParameters(made.mimeType) === mediaTypeOf(format) ? format : undefined
}

type ImageHeaders = HeaderFields & { readonly etag: string }

function sendImage(request: SiteRequest, bytes: Uint8Array, headers: ImageHeaders, base: HeaderFields): Plan {
  const range = findRequestedRange(request, headers.etag, bytes.length)
  if (range === 'unsatisfiable') return refuseRange(request, bytes.length, base)
  if (range === undefined) {
    const body = request.method === 'HEAD' ? NONE : { kind: 'bytes' as const, bytes }
    return { status: 200, headers: { ...headers, 'content-length': String(bytes.length) }, body }
  }
  const partial = { ...headers, ...describeRange(range, bytes.length) }
  return { status: 206, headers: partial, body: { kind: 'bytes', bytes: bytes.subarray(range.start, range.end) } }
}

const NONE = { kind: 'none' } as const
