import { promisify } from 'node:util'
import { brotliCompress, constants, gzip, zstdCompress } from 'node:zlib'
import { addVary, type Coding, isCompressible, matchesWeakly, rankCodings } from '../message/index.ts'
import type { FunctionOutcome } from './function-call.ts'

type Answered = Extract<FunctionOutcome, { kind: 'answered' }>

/** Below it the head outweighs what would be saved. */
const MIN_BYTES = 1024
/** Of one answer; what is larger is sent as it is, since it would keep a core busy for everybody else. */
const MAX_BYTES = 4 * 1024 * 1024
/** At once, in the threads that read files too; beyond it answers are sent as they are. */
const MAX_UNDER_WAY = 2

/** Levels that cost a few milliseconds for a hundred kilobytes: the answer is made for one visitor. */
const ENCODERS: Readonly<Record<Coding, (bytes: Uint8Array) => Promise<Uint8Array>>> = {
  br: (bytes) =>
    promisify(brotliCompress)(bytes, {
      params: { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
    }),
  zstd: (bytes) => promisify(zstdCompress)(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 3 } }),
  gzip: (bytes) => promisify(gzip)(bytes, { level: 4 }),
}

/** Encodes answers of functions for who takes them encoded (RFC 9110 section 8.4), outside of the event loop. */
export class AnswerEncoder {
  #underWay = 0

  /**
   * The answer, encoded where it is text above a kilobyte that its function left as it is. Without content (HEAD) its length is
   * not known then. Never rejects.
   */
  async encode(answer: Answered, field: (name: string) => string | undefined): Promise<Answered> {
    if (!mayBeEncoded(answer)) return answer
    const headers = withVary(answer.headers)
    const varied = { ...answer, headers }
    const [coding] = rankCodings(field('accept-encoding'))
    if (coding === undefined || coding === 'identity') return varied
    const tag = findValue(headers, 'etag')
    const ifNoneMatch = field('if-none-match')
    // It will not be sent.
    const isKnown =
      tag !== undefined && ifNoneMatch !== undefined && matchesWeakly(ifNoneMatch, tag.replace(/^W\//, ''))
    if (answer.body.length === 0) return { ...weaken(varied), lengthBytes: undefined }
    if (isKnown || answer.body.length > MAX_BYTES || this.#underWay >= MAX_UNDER_WAY) return weaken(varied)
    this.#underWay++
    try {
      const body = await ENCODERS[coding](answer.body)
      if (body.length >= answer.body.length) return weaken(varied)
      const encoded = [...headers, ['content-encoding', coding] as const]
      return weaken({ ...varied, headers: encoded, body, lengthBytes: body.length })
    } catch {
      return varied
    } finally {
      this.#underWay--
    }
  }
}

function mayBeEncoded({ status, headers, body, lengthBytes }: Answered): boolean {
  if (status === 206 || Math.max(body.length, lengthBytes ?? 0) < MIN_BYTES) return false
  const type = findValue(headers, 'content-type')
  if (type === undefined || !isCompressible(type)) return false
  if (findValue(headers, 'content-encoding') !== undefined || findValue(headers, 'content-range') !== undefined)
    return false
  return !/(?:^|,)[ \t]*no-transform[ \t]*(?:,|$)/i.test(findValue(headers, 'cache-control') ?? '')
}

/** Several representations, one tag: it cannot be a strong one any more (RFC 9110 section 8.8.1). */
function weaken(answer: Answered): Answered {
  const headers = answer.headers.map(([name, value]) =>
    name === 'etag' && value.startsWith('"') ? ([name, `W/${value}`] as const) : ([name, value] as const),
  )
  return { ...answer, headers }
}

function withVary(headers: Answered['headers']): Answered['headers'] {
  const present = headers.filter(([name]) => name === 'vary').map(([, value]) => value)
  return [
    ...headers.filter(([name]) => name !== 'vary'),
    ['vary', addVary(present.length === 0 ? undefined : present, 'accept-encoding')],
  ]
}

function findValue(headers: Answered['headers'], wanted: string): string | undefined {
  const values = headers.filter(([name]) => name === wanted).map(([, value]) => value)
  return values.length === 0 ? undefined : values.join(', ')
}
