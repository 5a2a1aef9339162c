/** Bytes [start, end) of a representation. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** More parts than a reader of documents asks for at once; whoever asks for more gets the whole. */
const MAX_RANGES = 16
/** A gap that costs less than the head of one more part (RFC 9110 section 15.3.7.2 names 80). */
const GAP_BYTES = 80
const SPEC = /^[ \t]*([0-9]*)-([0-9]*)[ \t]*$/

/**
 * The range that a Range header asks for (RFC 9110 section 14.2). Several that overlap, touch, or lie less than 80 bytes
 * apart are one. Undefined where the whole is to be sent: the header is no valid one or has another unit, the representation
 * is empty, or the ranges lie apart: we make no multipart answers, which few ask for and which servers were brought down
 * with (CVE-2011-3192).
 */
export function findRange(header: string, sizeBytes: number): ByteRange | 'unsatisfiable' | undefined {
  const set = /^bytes=(.*)$/i.exec(header)?.[1]
  if (set === undefined || sizeBytes === 0) return undefined
  const specs = set.split(',', MAX_RANGES + 1)
  if (specs.length > MAX_RANGES) return undefined
  const found: ByteRange[] = []
  let asked = 0
  for (const spec of specs) {
    // RFC 9110 section 5.6.1.2: empty elements are passed over.
    if (/^[ \t]*$/.test(spec)) continue
    asked++
    const range = findOne(spec, sizeBytes)
    if (range === undefined) return undefined
    if (range !== 'unsatisfiable') found.push(range)
  }
  if (asked === 0) return undefined
  return found.length === 0 ? 'unsatisfiable' : coalesce(found)
}

/** Undefined for what is no range. */
function findOne(spec: string, sizeBytes: number): ByteRange | 'unsatisfiable' | undefined {
  const match = SPEC.exec(spec)
  if (match === null) return undefined
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

/** One range that holds them all, where no gap of note lies between them. */
function coalesce(ranges: readonly ByteRange[]): ByteRange | undefined {
  const [first, ...others] = [...ranges].sort((a, b) => a.start - b.start) as [ByteRange, ...ByteRange[]]
  let { end } = first
  for (const range of others) {
    if (range.start - end >= GAP_BYTES) return undefined
    end = Math.max(end, range.end)
  }
  return { start: first.start, end }
}
