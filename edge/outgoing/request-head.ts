import type { OutgoingRequest } from '../guest-contract/index.ts'
import { CDN_LOOP_ID, namesUs } from '../message/index.ts'
import { type Host, readAuthority } from './host-name.ts'

/** A request that can be sent. `fields`: name, value, name, value, in Latin-1, as they go on the wire. */
export interface RequestHead {
  readonly method: string
  readonly isSecure: boolean
  readonly host: Exclude<Host, { kind: 'refused' }>
  readonly port: number
  readonly path: string
  readonly fields: readonly string[]
}

export type BuiltHead =
  | { readonly kind: 'head'; readonly head: RequestHead }
  /** By a code of wasi:http, in lower case. `why` is missing for what is no request. */
  | { readonly kind: 'refused'; readonly error: string; readonly why?: 'name' | 'loop'; readonly what: string }

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$/
/** RFC 9110 section 5.5, as Latin-1: visible, space, tab, what is beyond ASCII. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
/** Visible ASCII without a fragment: nothing that could end the line. */
const PATH = /^\/[\x21\x22\x24-\x7e]*$/
const MAX_PATH_CHARS = 8 * 1024
const MAX_FIELDS = 200
const MAX_FIELDS_CHARS = 32 * 1024
/** They are of one connection (RFC 9110 section 7.6.1), say how long content is, or are ours to say. */
const NOT_SENT: ReadonlySet<string> = new Set([
  'cdn-loop',
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
/** With others content is expected, so that its length is said even where there is none (RFC 9110 section 8.6). */
const WITHOUT_CONTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS'])
/** A tunnel; and what shows a client's own fields to whoever reads the answer. */
const REFUSED_METHODS: ReadonlySet<string> = new Set(['CONNECT', 'TRACE', 'TRACK'])
const USER_AGENT = 'makiatto'

/**
 * What goes out for a request of a guest's: with the host that its authority names, the length of the content that there is,
 * CDN-Loop with our name (RFC 8586), and none of the fields that a connection is run with. A request that has been through a
 * function before is not sent. `request` may be anything.
 */
export function buildRequestHead(request: OutgoingRequest, contentBytes: number): BuiltHead {
  const { method, scheme, authority, path, headers } = request
  if (typeof method !== 'string' || !TOKEN.test(method) || REFUSED_METHODS.has(method.toUpperCase()))
    return refuse('http-request-method-invalid', 'a method')
  if ((scheme !== 'http' && scheme !== 'https') || typeof authority !== 'string')
    return refuse('http-request-uri-invalid', 'a scheme or an authority')
  const at = readAuthority(authority, scheme)
  if (at === undefined) return refuse('http-request-uri-invalid', 'an authority')
  const { host, port } = at
  if (host.kind === 'refused') return refuse('http-request-denied', host.what, 'name')
  if (typeof path !== 'string' || path.length > MAX_PATH_CHARS) return refuse('http-request-uri-too-long', 'a path')
  if (!PATH.test(path) && !(path === '*' && method === 'OPTIONS')) return refuse('http-request-uri-invalid', 'a path')
  const sent = readFields(headers)
  if (sent === undefined) return refuse('http-request-header-size', 'fields')
  const loop = sent.filter(([name]) => name.toLowerCase() === 'cdn-loop').map(([, value]) => value)
  if (loop.some(namesUs)) return refuse('loop-detected', 'a request of a function', 'loop')
  const named = nominated(sent)
  const kept = sent.filter(([name]) => !NOT_SENT.has(name.toLowerCase()) && !named.has(name.toLowerCase()))
  const fields = ['Host', formatHost(host, port, scheme), ...kept.flat()]
  if (!kept.some(([name]) => name.toLowerCase() === 'user-agent')) fields.push('User-Agent', USER_AGENT)
  fields.push('CDN-Loop', [...loop.filter((value) => value.trim() !== ''), CDN_LOOP_ID].join(', '))
  if (contentBytes > 0 || !WITHOUT_CONTENT.has(method)) fields.push('Content-Length', String(contentBytes))
  fields.push('Connection', 'close')
  return { kind: 'head', head: { method, isSecure: scheme === 'https', host, port, path, fields } }
}

/** What a guest sees of the fields of a response: not those of the connection. Pairs, as they came. */
export function readResponseFields(raw: readonly string[]): (readonly [name: string, value: string])[] {
  const pairs: (readonly [string, string])[] = []
  for (let i = 0; i + 1 < raw.length; i += 2) pairs.push([raw[i] as string, raw[i + 1] as string])
  const named = nominated(pairs)
  return pairs.filter(([name]) => !OF_CONNECTION.has(name.toLowerCase()) && !named.has(name.toLowerCase()))
}

const OF_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Fields that Connection says are of the connection, too. */
function nominated(fields: readonly (readonly [string, string])[]): ReadonlySet<string> {
  return new Set(
    fields
      .filter(([name]) => name.toLowerCase() === 'connection')
      .flatMap(([, value]) => value.split(','))
      .map((name) => name.trim().toLowerCase()),
  )
}

function readFields(headers: unknown): [name: string, value: string][] | undefined {
  if (!Array.isArray(headers) || headers.length > MAX_FIELDS) return undefined
  const fields: [string, string][] = []
  let chars = 0
  for (const each of headers as readonly unknown[]) {
    if (!Array.isArray(each) || each.length !== 2) return undefined
    const [name, value] = each as readonly unknown[]
    if (typeof name !== 'string' || typeof value !== 'string' || !TOKEN.test(name) || !VALUE.test(value))
      return undefined
    chars += name.length + value.length
    if (chars > MAX_FIELDS_CHARS) return undefined
    fields.push([name, value])
  }
  return fields
}

function formatHost(host: RequestHead['host'], port: number, scheme: 'http' | 'https'): string {
  const name = host.kind === 'name' ? host.name : host.address
  const plain = name.includes(':') ? `[${name}]` : name
  return port === (scheme === 'https' ? 443 : 80) ? plain : `${plain}:${port}`
}

function refuse(error: string, what: string, why?: 'name' | 'loop'): BuiltHead {
  return { kind: 'refused', error, what, ...(why === undefined ? {} : { why }) }
}
