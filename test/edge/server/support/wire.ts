/** One answer as it stands on the wire. */
export interface WireAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly fields: ReadonlyMap<string, string>
  readonly body: string
}

const STATUS_LINE = /^HTTP\/1\.1 ([1-5][0-9]{2}) [ -~]*$/
const FIELD_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*)$/

/**
 * Reads answers to `methods` from what a connection gave until it ended, strictly: throws for what is no answer, for a body
 * that is not as long as said, and for bytes behind the last.
 */
export function parseAnswers(raw: string, methods: readonly string[] = []): WireAnswer[] {
  const answers: WireAnswer[] = []
  let at = 0
  while (at < raw.length) {
    const end = raw.indexOf('\r\n\r\n', at)
    if (end === -1) throw new Error(`no head: ${JSON.stringify(raw.slice(at, at + 100))}`)
    const [first = '', ...lines] = raw.slice(at, end).split('\r\n')
    const status = STATUS_LINE.exec(first)?.[1]
    if (status === undefined) throw new Error(`no status line: ${JSON.stringify(first)}`)
    const fields = new Map<string, string>()
    for (const line of lines) {
      const match = FIELD_LINE.exec(line)
      if (match === null) throw new Error(`no field: ${JSON.stringify(line)}`)
      const name = (match[1] as string).toLowerCase()
      if (fields.has(name)) throw new Error(`${name} stands twice`)
      fields.set(name, match[2] as string)
    }
    const isBodiless = methods[answers.length] === 'HEAD' || status === '204' || status === '304'
    const length = isBodiless ? 0 : Number(fields.get('content-length') ?? Number.NaN)
    if (!Number.isSafeInteger(length)) throw new Error(`no length: ${first}`)
    const body = raw.slice(end + 4, end + 4 + length)
    if (body.length < length) throw new Error(`a body of ${body.length} bytes instead of ${length}`)
    if (!fields.has('date')) throw new Error(`no date: ${first}`)
    answers.push({ status: Number(status), fields, body })
    at = end + 4 + length
  }
  return answers
}
