import type { GuestMethod, GuestRequest } from '../guests/index.ts'
import { plainAddress } from '../message/index.ts'
import type { CallerRequest, FunctionCall } from './function-call.ts'

const METHODS: Readonly<Record<string, GuestMethod>> = {
  GET: 'get',
  HEAD: 'head',
  POST: 'post',
  PUT: 'put',
  PATCH: 'patch',
  DELETE: 'delete',
  OPTIONS: 'options',
}

/** Of the connection (RFC 9110 section 7.6.1), or for whoever stands between; and those that are said anew. */
const WITHHELD: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'forwarded',
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
  'x-real-ip',
])
/** Only the node says these, so that a function may believe them. */
const OWN = /^(?:x-forwarded-|makiatto-)/

type Fields = (readonly [name: string, value: string])[]

/**
 * What a function sees of a request: every field as it came, a line each, but those of the connection, those that only this
 * node may say, and the password of the site. Cookies are one line, whatever the transport (RFC 9113 section 8.2.3).
 */
export function buildGuestRequest(
  call: FunctionCall,
  request: CallerRequest,
  content: Uint8Array | undefined,
  trace: string,
): GuestRequest {
  const method = METHODS[request.method]
  if (method === undefined) throw new TypeError(`${request.method} is no method of functions`)
  return {
    method,
    path: call.path,
    query: call.query,
    headers: [...ownFields(call, request, content, trace), ...clientFields(call, request)],
    body: content,
  }
}

function ownFields(
  { host }: FunctionCall,
  request: CallerRequest,
  content: Uint8Array | undefined,
  trace: string,
): Fields {
  const { address, country } = request.client()
  const fields: Fields = [
    ['host', host],
    ['x-forwarded-for', plainAddress(address)],
    ['x-forwarded-proto', request.secure ? 'https' : 'http'],
    ['x-forwarded-host', host],
    ['makiatto-trace', trace],
  ]
  if (country !== undefined) fields.push(['makiatto-country', country])
  if (content !== undefined) fields.push(['content-length', String(content.length)])
  return fields
}

function clientFields({ isProtected }: FunctionCall, request: CallerRequest): Fields {
  const given = request.fields()
  const named = new Set<string>()
  for (const [name, value] of given) {
    if (name === 'connection') for (const one of value.split(',')) named.add(one.trim().toLowerCase())
  }
  const fields: Fields = []
  const cookies: string[] = []
  for (const [name, value] of given) {
    if (WITHHELD.has(name) || named.has(name) || OWN.test(name) || (isProtected && name === 'authorization')) continue
    if (name === 'cookie') cookies.push(value)
    else fields.push([name, value])
  }
  if (cookies.length > 0) fields.push(['cookie', cookies.join('; ')])
  return fields
}
