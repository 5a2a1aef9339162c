import { RuleFault } from './rule-file.ts'

/** What a rule asks of one parameter of the query. */
export interface QueryMatch {
  readonly name: string
  /** What it must be; undefined: anything, which `capture` then stands for. */
  readonly value: string | undefined
  readonly capture: string | undefined
}

/** Reads `name=value` or `name=:placeholder`. Throws RuleFault. */
export function parseQueryMatch(token: string): QueryMatch {
  const equals = token.indexOf('=')
  if (equals < 1)
    throw new RuleFault(
      `${JSON.stringify(token)} is neither a target nor a parameter`,
      'A target begins with / or https://, a parameter is name=value.',
    )
  const name = decode(token.slice(0, equals))
  const text = token.slice(equals + 1)
  const capture = /^:([A-Za-z]\w*)$/.exec(text)?.[1]
  return { name, value: capture === undefined ? decode(text) : undefined, capture }
}

/** The parameters of a query, decoded; of one that comes several times the first counts. */
export function readParameters(query: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(query)) if (!parameters.has(name)) parameters.set(name, value)
  return parameters
}

/**
 * What the placeholders of the parameters stand for, decoded. As with Netlify the query must have exactly these parameters, in
 * any order. Undefined where it has not. Takes no longer for a query that has more.
 */
export function matchQuery(
  matches: readonly QueryMatch[],
  parameters: ReadonlyMap<string, string>,
): Map<string, string> | undefined {
  if (parameters.size > matches.length) return undefined
  const captures = new Map<string, string>()
  const names = new Set<string>()
  for (const { name, value, capture } of matches) {
    const found = parameters.get(name)
    if (found === undefined || (value !== undefined && value !== found)) return undefined
    if (capture !== undefined) captures.set(capture, found)
    names.add(name)
  }
  return names.size === parameters.size ? captures : undefined
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new RuleFault('a % begins the encoding of no UTF-8 character', 'Write %25 for a percent sign.')
  }
}
