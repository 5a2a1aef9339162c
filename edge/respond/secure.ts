import type { Site } from '../site/index.ts'
import type { HeaderFields, Plan } from './plan.ts'
import { CHALLENGES } from './show-challenge.ts'
import type { SiteRequest } from './site-request.ts'

/** The port of HTTPS is left away where the visitor came by the port of HTTP (RFC 9110 section 4.2). */
const HTTPS_PORT = 443
/** A year, as browsers' lists of such hosts ask; other hosts of the domain are its owner's to promise. */
const STRICT_TRANSPORT_SECURITY = 'max-age=31536000'

/**
 * Sends who asks in clear to HTTPS (RFC 9110 section 15.4.9: with method and body), where a valid certificate for the host
 * is served. Undefined where the request is to be answered as it came. Who named a port is sent to the port at which this
 * node serves HTTPS, else to the standard one. `raw` and `query` are those of the target.
 */
export function findHttpsRedirect(
  request: SiteRequest,
  asked: { readonly host: string; readonly raw: string; readonly query: string },
  site: Site,
  httpsPort: number | undefined,
  base: HeaderFields,
): Plan | undefined {
  const { host, raw, query } = asked
  if (httpsPort === undefined || request.secure || site.secured?.has(host) !== true) return undefined
  if (raw.startsWith(CHALLENGES)) return undefined
  const port = httpsPort === HTTPS_PORT || !/:[0-9]+$/.test(request.host ?? '') ? '' : `:${httpsPort}`
  const location = `https://${host}${port}${raw}${query}`
  // Not for ever: the certificate may go.
  const headers = { ...base, location, 'cache-control': 'no-cache', 'content-length': '0' }
  return { status: 308, headers, body: { kind: 'none' } }
}

/**
 * The header by which browsers come over HTTPS alone from then on (RFC 6797): only over TLS, and only for hosts with a valid
 * certificate. Undefined elsewhere.
 */
export function findStrictTransport(request: SiteRequest, host: string, site: Site): string | undefined {
  return request.secure && site.secured?.has(host) === true ? STRICT_TRANSPORT_SECURITY : undefined
}
