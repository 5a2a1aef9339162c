import type { HeaderFields, Plan } from './plan.ts'
import type { SiteRequest } from './site-request.ts'

/** Where authorities ask for the tokens that they gave (RFC 8555 section 8.3): in clear, before there is a certificate. */
export const CHALLENGES = '/.well-known/acme-challenge/'

/** What is to be shown for a token of a host; nothing of it is remembered. */
export interface Challenges {
  find(host: string, token: string): string | undefined
}

/**
 * The answer to an authority; undefined where the token is none of ours, so that a site's own file at that path is served. The host
 * need not be one of a site.
 */
export function showChallenge(
  request: SiteRequest,
  { host, raw, query }: { readonly host: string; readonly raw: string; readonly query: string },
  challenges: Challenges | undefined,
  base: HeaderFields,
): Plan | undefined {
  if (challenges === undefined || !raw.startsWith(CHALLENGES)) return undefined
  // What is answered here is otherwise in a moment, also where it is a file now: who remembers answers must not remember this one.
  request.client()
  if (query !== '' || (request.method !== 'GET' && request.method !== 'HEAD')) return undefined
  const text = challenges.find(host, raw.slice(CHALLENGES.length))
  if (text === undefined) return undefined
  const headers = {
    ...base,
    'content-type': 'application/octet-stream',
    'content-length': String(text.length),
    'cache-control': 'no-store',
  }
  return { status: 200, headers, body: request.method === 'HEAD' ? { kind: 'none' } : { kind: 'text', text } }
}
