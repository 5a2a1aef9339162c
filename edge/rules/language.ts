/** A language tag, or the beginning of one (RFC 4647 section 2.1). */
const RANGE = /^[a-z]{1,8}(?:-[a-z0-9]{1,8})*$/

/** True for what a `Language=` condition may name; lower case. */
export const isLanguage = (text: string): boolean => RANGE.test(text)

/** Of a longer header nothing more is read: no browser sends so many. */
const MAX_RANGES = 50

/**
 * The language that an Accept-Language header wants most: of the greatest weight, the first (RFC 9110 section 12.5.4); lower
 * case. Undefined where it wants none in particular.
 */
export function findWantedLanguage(header: string | undefined): string | undefined {
  let wanted: string | undefined
  let most = 0
  for (const item of (header ?? '').split(',', MAX_RANGES)) {
    const [range = '', ...parameters] = item.split(';')
    const language = range.trim().toLowerCase()
    if (language !== '*' && !isLanguage(language)) continue
    const weight = readWeight(parameters)
    if (weight <= most) continue
    most = weight
    wanted = language
  }
  return wanted === '*' ? undefined : wanted
}

/** 0 for a weight that is none, so that its range is not taken. */
function readWeight(parameters: readonly string[]): number {
  const [first] = parameters
  if (first === undefined) return 1
  const match = /^[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*$/i.exec(first)
  return match === null ? 0 : Number(match[1])
}

/** True where a wanted language is one of those, or a variety of it: `zh-tw` is `zh` (RFC 4647 section 3.3.1). */
export function isLanguageOf(languages: readonly string[], wanted: string): boolean {
  return languages.some((language) => wanted === language || wanted.startsWith(`${language}-`))
}
