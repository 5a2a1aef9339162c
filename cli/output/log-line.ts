import type { Style } from './style.ts'
import { plainLine } from './text.ts'

type Line = Readonly<Record<string, unknown>>

/** Of one text, which may be as long as its node let it be. */
const MAX_CHARS = 4_100
/** Of a text that has lines, as a stack does. */
const MAX_LINES = 12
/** What stands elsewhere in what is printed. */
const HIDDEN: ReadonlySet<string> = new Set(['time', 'level', 'event', 'node', 'worker'])

const FAILURES: Readonly<Record<string, string>> = {
  trap: 'failed',
  timeout: 'took too long',
  memory: 'used more memory than it may',
  'too-large': 'gave more than it may',
  busy: 'was not called: too many calls wait',
  unfit: 'cannot be run',
  died: 'ended its process',
  closed: 'was ended with the node',
}

/**
 * What a line of a node's log says, for people: what components print as they print it, how they fail in words, all else as its
 * event and data. Of texts that have lines the later ones stand below, indented. Pure.
 */
export function formatLogLine(line: Line, style: Style): string {
  const { domain, trace } = line
  const of = `${style.dim(text(domain))} ${style.name(text(line.function ?? line.transform ?? line.name))}`
  const byTrace = typeof trace === 'string' ? style.dim(` (trace ${text(trace)})`) : ''
  switch (line.event) {
    case 'function.printed': {
      const lost =
        typeof line.linesLostBefore === 'number' ? style.dim(` [${line.linesLostBefore} lines before are lost]`) : ''
      const said = indent(text(line.text))
      return `${of} ${line.stream === 'stderr' ? style.warn(said) : said}${lost}`
    }
    case 'function.failed':
      return `${of} ${style.bad(describeFailure(line.why))}${byTrace}${detail(line.detail)}`
    case 'transforms.failed':
      return `${of} ${style.bad(describeFailure(line.why))} at ${text(line.file)}${byTrace}${detail(line.detail)}`
    case 'function.answer-invalid':
      return `${of} ${style.bad('gave an answer that is none')}${byTrace}${detail(line.reason)}`
    case 'function.headers-dropped':
      return `${of} ${style.warn('gave headers that are not sent')}${detail(line.headers)}`
    case 'component.unfit': {
      const at = typeof domain === 'string' ? `${of} ` : ''
      const more = typeof line.otherPlaces === 'number' ? `, in ${line.otherPlaces} other places too` : ''
      const unfit = style.bad(at === '' ? 'a component is not fit' : 'is not fit')
      return `${at}${unfit}${detail(line.message)} ${style.dim(`(${text(line.component)}${more})`)}`
    }
    default:
      return formatOther(line, style)
  }
}

function formatOther(line: Line, style: Style): string {
  const event = text(line.event)
  const paint = line.level === 'error' ? style.bad : line.level === 'warn' ? style.warn : style.bold
  const data = Object.entries(line).filter(([name]) => !HIDDEN.has(name))
  return [paint(event), ...data.map(([name, value]) => `${style.dim(`${plainLine(name)}=`)}${shorten(value)}`)].join(
    ' ',
  )
}

/** Words that a line can be cut at: quotes stand where spaces are inside. */
function shorten(value: unknown): string {
  const plain = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
  const cut = plainLine(plain.length > MAX_CHARS ? `${plain.slice(0, MAX_CHARS)}…` : plain)
  return typeof value === 'string' && (/\s/.test(cut) || cut === '') ? JSON.stringify(cut) : cut
}

const describeFailure = (why: unknown): string =>
  typeof why === 'string' && Object.hasOwn(FAILURES, why) ? (FAILURES[why] as string) : `failed: ${text(why)}`

const detail = (value: unknown): string => {
  const words = indent(text(value))
  return words === '' ? '' : `: ${words}`
}

/** Lines stay lines; every other character that could move a cursor does not. */
function text(value: unknown): string {
  if (value === undefined || value === null) return ''
  const plain = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
  const cut = plain.length > MAX_CHARS ? `${plain.slice(0, MAX_CHARS)}…` : plain
  return cut
    .split(/\r?\n/)
    .map((part) => plainLine(part.replaceAll('\t', '  ')))
    .join('\n')
}

function indent(words: string): string {
  const lines = words.trimEnd().split('\n')
  const shown = lines.slice(0, MAX_LINES)
  if (lines.length > MAX_LINES) shown.push(`[${lines.length - MAX_LINES} more lines]`)
  return shown.join('\n    ')
}
