import type { Hostname } from '../../../core/index.ts'
import { SiteRules } from '../../../edge/index.ts'

export const parse = (files: { redirects?: string | Uint8Array; headers?: string | Uint8Array }) =>
  SiteRules.parse({
    ...(files.redirects === undefined ? {} : { _redirects: Buffer.from(files.redirects) }),
    ...(files.headers === undefined ? {} : { _headers: Buffer.from(files.headers) }),
  })

/** What a request is, for rules. */
export interface Asked {
  readonly url?: string
  readonly language?: string
  readonly country?: string
  readonly exists?: boolean
}

/** Scheme and host, then a decoded path and its query: `http://example.com/a b?c=d`. */
export function requestOf(path: string, { url = 'http://example.com', language, country, exists = false }: Asked = {}) {
  const { protocol, hostname } = new URL(url)
  const mark = path.indexOf('?')
  const at = pathOf(mark === -1 ? path : path.slice(0, mark))
  return {
    host: hostname as Hostname,
    at,
    query: mark === -1 ? '' : path.slice(mark),
    secure: protocol === 'https:',
    exists,
    languages: () => language,
    country: () => country,
  }
}

export function pathOf(path: string): { path: string; slash: boolean } {
  const slash = path.endsWith('/')
  return { path: path.slice(1, slash && path.length > 1 ? -1 : undefined), slash }
}

/** `301 /there`, `200 /file`, or `-` where no rule matches. */
export function outcomeOf(redirects: string, path: string, asked: Asked = {}): string {
  const { match } = parse({ redirects }).rules.redirectFor(requestOf(path, asked))
  if (match === undefined) return '-'
  if (match.kind === 'redirect') return `${match.status} ${match.location}`
  const { path: to, slash } = match.path
  return `${match.status} /${to}${slash && to !== '' ? '/' : ''}`
}

/** One word for each rule, and `fault` for each line that is none. */
export function describe(redirects: string): string[] {
  const { rules, faults } = parse({ redirects })
  return [
    ...rules.redirects.map(({ line, status, force }) => `${line}: ${status}${force ? '!' : ''}`),
    ...faults.map(({ line, message }) => `${line}: fault: ${message}`),
  ]
}

/** Headers that a path gets; those that are taken away with the value null. */
export function headersOf(headers: string, path: string, host = 'example.com'): Record<string, unknown> {
  const { set, remove } = parse({ headers }).rules.headersFor(host, pathOf(path))
  return { ...Object.fromEntries([...remove].map((name) => [name, null])), ...Object.fromEntries(set) }
}
