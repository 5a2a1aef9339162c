/**
 * Text from elsewhere (names, messages, paths) for a terminal: control characters, which could move the cursor or
 * recolour the screen, become visible escapes; newlines too.
 */
export function plainLine(text: string): string {
  return text.replace(UNPRINTED, (character) => {
    const code = character.charCodeAt(0)
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
  })
}

/**
 * C0 and C1 controls, what changes the direction of text (UAX #9), ends of lines and paragraphs, annotations, and what takes no
 * place at all and so makes two names look like one. Joiners stay: languages and emoji need them. Halves of pairs, which are no text.
 */
const UNPRINTED =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this looks for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/** JSON, on one line without `indent`: what `plainLine` shows is escaped in it, so that a terminal takes it for text, and means the same. */
export const formatJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, undefined, indent).replace(UNPRINTED, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** As `plainLine`, for text of several lines: their ends stay. */
export const plainText = (text: string): string => text.split('\n').map(plainLine).join('\n')

const LAYOUT = /([\n\t])/
// biome-ignore lint/suspicious/noControlCharactersInRegex: it begins what styleText writes
const COLOUR_OR_LAYOUT = /([\n\t]|\u001b\[\d{1,2}m)/

/**
 * What is about to be printed, as the last guard: line ends, tabs and, where there are colours, what `styleText` writes for them
 * stay; every other character that a terminal would act on is shown.
 */
export const printable = (text: string, { isColoured }: { readonly isColoured: boolean }): string =>
  text
    .split(isColoured ? COLOUR_OR_LAYOUT : LAYOUT)
    .map((part, i) => (i % 2 === 1 ? part : plainLine(part)))
    .join('')

/** The same value with all its texts, keys too, as `plainLine` makes them: for what another program said in one piece. */
export function plainTexts<T>(value: T): T {
  return plain(value) as T
}

function plain(value: unknown): unknown {
  if (typeof value === 'string') return plainLine(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [plainLine(key), plain(part)]))
}

const UNITS = ['kB', 'MB', 'GB', 'TB'] as const

/** Decimal units, as disks and providers count. */
export function formatBytes(sizeBytes: number): string {
  if (sizeBytes < 1000) return `${sizeBytes} B`
  let size = sizeBytes
  let unit = -1
  while (size >= 999.5 && unit < UNITS.length - 1) {
    size /= 1000
    unit++
  }
  return `${size < 9.95 ? size.toFixed(1) : Math.round(size)} ${UNITS[unit]}`
}

/** `1 file`, `2 files`; the plural is given where it is irregular. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}

/** What a geographic RRset holds, in words. */
export const BEST_NODE = 'the address of the nearest healthy node'
