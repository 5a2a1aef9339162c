import { isLanguage } from './language.ts'
import { parseQueryMatch, type QueryMatch } from './query-match.ts'
import { RuleFault } from './rule-file.ts'
import { parseSource, type Source } from './source.ts'
import { parseTarget, type Target } from './target.ts'

/** Sends elsewhere, says what is there instead, or says that there is nothing. */
export type RedirectStatus = 301 | 302 | 303 | 307 | 308
export type PageStatus = 200 | 404 | 410 | 451

/** One line of `_redirects`. */
export interface RedirectRule {
  /** From 1. */
  readonly line: number
  readonly text: string
  readonly source: Source
  readonly query: readonly QueryMatch[]
  readonly target: Target
  readonly status: RedirectStatus | PageStatus
  /** It counts also where a file has the path. */
  readonly force: boolean
  /** ISO 3166-1 alpha-2, upper case; undefined: any. */
  readonly countries: readonly string[] | undefined
  /** Lower case; undefined: any. */
  readonly languages: readonly string[] | undefined
}

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308] satisfies RedirectStatus[]
const PAGES: readonly number[] = [200, 404, 410, 451] satisfies PageStatus[]

/** As with Netlify, who came first; it does no harm, since answers of rules are asked for again each time. */
const DEFAULT_STATUS = 301

/** True for a status that sends elsewhere. */
export const isRedirect = (status: RedirectStatus | PageStatus): status is RedirectStatus => REDIRECTS.includes(status)

const isTarget = (token: string): boolean => token.startsWith('/') || /^https?:\/\//.test(token)
const isStatus = (token: string | undefined): boolean => token !== undefined && /^\d+!?$/.test(token)

/**
 * Reads `source [parameters] [target] [status[!]] [conditions]`; the target may be left out where a `*` at the end leads to the
 * same path (`/admin/* 200!`). A `#` after a space begins a comment. Undefined for a line without a rule. Throws RuleFault.
 */
export function parseRedirectLine(text: string, line: number): RedirectRule | undefined {
  const [from, ...tokens] = cutComment(text.trim().split(/\s+/))
  if (from === undefined || from === '') return undefined
  const source = parseSource(from, { splats: false })
  const at = tokens.findIndex(isTarget)
  const hasTarget = at !== -1 && !isStatus(tokens[0])
  const query = (hasTarget ? tokens.slice(0, at) : []).map(parseQueryMatch)
  const rest = hasTarget ? tokens.slice(at + 1) : tokens
  const { status, force, conditions } = readStatus(rest, tokens.length)
  const to = hasTarget ? (tokens[at] as string) : findForward(from, status, tokens)
  checkCaptures(source, query)
  const names = new Set([...(source.host?.names ?? []), ...source.path.names, ...captureNames(query)])
  const target = parseTarget(to, names)
  if (!isRedirect(status) && target.origin !== undefined) throw proxyFault(status, target.origin)
  const { countries, languages } = readConditions(conditions)
  // What is asked of the visitor or of the query would hardly ever count otherwise: `/` and `/store` have their pages.
  const isSpecial = query.length > 0 || countries !== undefined || languages !== undefined
  return { line, text: text.trim(), source, query, target, status, force: force || isSpecial, countries, languages }
}

function cutComment(tokens: readonly string[]): readonly string[] {
  const at = tokens.findIndex((token) => token.startsWith('#'))
  return at === -1 ? tokens : tokens.slice(0, at)
}

const captureNames = (query: readonly QueryMatch[]): string[] =>
  query.flatMap(({ capture }) => (capture === undefined ? [] : [capture]))

function checkCaptures(source: Source, query: readonly QueryMatch[]): void {
  const names = [...(source.host?.names ?? []), ...source.path.names, ...captureNames(query)]
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new RuleFault(`:${twice} stands in it twice`, 'Give each placeholder its own name.')
}

function readStatus(
  tokens: readonly string[],
  count: number,
): { status: RedirectStatus | PageStatus; force: boolean; conditions: readonly string[] } {
  const [first] = tokens
  if (count === 0) throw new RuleFault('it has no target', 'Write a path or a URL after the source.')
  if (first === undefined || first.includes('=')) return { status: DEFAULT_STATUS, force: false, conditions: tokens }
  const match = /^(\d{3})(!?)$/.exec(first)
  const status = Number(match?.[1])
  if (match === null || !(REDIRECTS.includes(status) || PAGES.includes(status)))
    throw new RuleFault(
      isStatus(first) ? `${first} is no status that rules can have` : `${JSON.stringify(first)} has no meaning here`,
      isStatus(first)
        ? 'Use 301, 302, 303, 307 or 308 to send elsewhere, 200 to rewrite, 404, 410 or 451 for what is not there.'
        : 'A target begins with / or https://; after it come a status such as 301, then conditions such as Country=de.',
    )
  return { status: status as RedirectStatus | PageStatus, force: match[2] === '!', conditions: tokens.slice(1) }
}

/** `/admin/* 200!` leads to where it comes from. */
function findForward(from: string, status: RedirectStatus | PageStatus, tokens: readonly string[]): string {
  if (status === 200 && isStatus(tokens[0]) && from.startsWith('/') && from.endsWith('/*'))
    return from.replace(/\*$/, ':splat')
  throw new RuleFault(
    'it has no target',
    'Write a path that begins with a slash, or a URL that begins with https://, after the source.',
  )
}

function proxyFault(status: PageStatus, origin: string): RuleFault {
  if (status === 200)
    return new RuleFault(
      'this is no proxy: other hosts are not asked for what visitors get',
      `Send visitors there with 302, put what ${origin} gives into the site, or point a record of its own at it.`,
    )
  return new RuleFault(`a page with status ${status} is one of this site`, 'Write its path: /404.html')
}

const UNSUPPORTED: Readonly<Record<string, readonly [why: string, hint: string]>> = {
  role: ['visitors have no roles here', 'Protect the path by a password: Basic-Auth in _headers.'],
  cookie: ['answers do not depend on cookies, since no cache could keep them', 'Decide in the page, by a script.'],
  sign: ['only requests to other hosts are signed, and none are made', 'Leave it out.'],
  signed: ['only requests to other hosts are signed, and none are made', 'Leave it out.'],
}

function readConditions(tokens: readonly string[]): Pick<RedirectRule, 'countries' | 'languages'> {
  let countries: readonly string[] | undefined
  let languages: readonly string[] | undefined
  for (const token of tokens) {
    const [key = '', ...values] = token.split('=')
    const list = values.join('=').toLowerCase().split(',')
    const name = key.toLowerCase()
    const unsupported = Object.hasOwn(UNSUPPORTED, name) ? UNSUPPORTED[name] : undefined
    if (unsupported !== undefined) throw new RuleFault(`${key}= is not followed: ${unsupported[0]}`, unsupported[1])
    if (name === 'country' && countries === undefined)
      countries = checkEach(list, /^[a-z]{2}$/, 'country', 'Country=de,at').map((code) => code.toUpperCase())
    else if (name === 'language' && languages === undefined)
      languages = checkEach(list, { test: isLanguage }, 'language', 'Language=de,en-gb')
    else
      throw new RuleFault(
        `${JSON.stringify(token)} has no meaning here`,
        'Conditions are Country= and Language=, once each, with commas and no spaces between values.',
      )
  }
  return { countries, languages }
}

function checkEach(
  values: readonly string[],
  pattern: { test(text: string): boolean },
  what: string,
  example: string,
): readonly string[] {
  const wrong = values.find((value) => !pattern.test(value))
  if (wrong !== undefined)
    throw new RuleFault(`${JSON.stringify(wrong)} is no code of a ${what}`, `Write ${example}, without spaces.`)
  return values
}
