import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import tls from 'node:tls'
import { MakiError, type Runtime } from '../../core/index.ts'
import { AuthorityError } from './authority-error.ts'

export interface TransportOptions {
  readonly directory: string
  readonly runtime: Pick<Runtime, 'now' | 'after'>
  /** PEM of authorities that its TLS certificate may come from, beside those that everybody trusts. */
  readonly ca?: string | undefined
  readonly userAgent: string
}

export interface AcmeResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  /** Parsed where it is JSON, else text. */
  readonly data: unknown
}

/** A request and its answer. */
const ANSWER_MS = 30_000
/** The largest answer is a chain of certificates. */
const MAX_BYTES = 512 * 1024
const JSON_TYPE = /^application\/(?:[a-z0-9.+-]+\+)?json\b/i
const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|\[::1\]|localhost)$/

/**
 * Requests to one authority: over TLS, in bounded time, with answers of bounded size. Follows no redirect and no proxy of the environment.
 * What it is told to ask by the authority itself has to be `https:`, or lie where its directory does.
 */
export class AcmeTransport {
  readonly #options: TransportOptions
  readonly #origin: string
  readonly #agents: { readonly http: http.Agent; readonly https: https.Agent }

  /** Throws MAKI_CONFIG for a directory that is neither `https:` nor on this machine. */
  constructor(options: TransportOptions) {
    this.#options = options
    const url = URL.parse(options.directory)
    if (url === null || !(url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname)))) {
      throw new MakiError('MAKI_CONFIG', `${options.directory} is no directory of a certificate authority`, {
        hint: 'It is an address that begins with https://, like https://acme-v02.api.letsencrypt.org/directory',
      })
    }
    this.#origin = url.origin
    const ca = options.ca === undefined ? {} : { ca: [...tls.rootCertificates, options.ca] }
    const kept = { keepAlive: true, maxSockets: 4, timeout: ANSWER_MS }
    this.#agents = { http: new http.Agent(kept), https: new https.Agent({ ...kept, ...ca, minVersion: 'TLSv1.2' }) }
  }

  /** Throws AuthorityError: `unreachable`, or `nonsense` for what no authority answers. Statuses are the caller's. */
  async request(
    method: 'GET' | 'HEAD' | 'POST',
    address: string,
    body: string | undefined,
    signal: AbortSignal,
  ): Promise<AcmeResponse> {
    const url = this.#check(address)
    signal.throwIfAborted()
    const { response, bytes } = await this.#exchange(method, url, body, signal)
    const status = response.statusCode ?? 0
    if (status >= 300 && status < 400) throw nonsense(`${url.host} sends its visitors elsewhere (${status})`)
    return { status, headers: singles(response), data: readBody(response, bytes, url) }
  }

  #check(address: string): URL {
    const url = typeof address === 'string' ? URL.parse(address) : null
    if (url === null) throw nonsense('it names an address that is none')
    if (url.protocol !== 'https:' && url.origin !== this.#origin)
      throw nonsense(`it names the address ${url.protocol}//${url.host}, which is not encrypted`)
    if (url.username !== '' || url.password !== '') throw nonsense('it names an address with a password')
    return url
  }

  #exchange(
    method: string,
    url: URL,
    body: string | undefined,
    signal: AbortSignal,
  ): Promise<{ response: IncomingMessage; bytes: Buffer }> {
    const { runtime, userAgent } = this.#options
    const headers: Record<string, string | number> = { 'user-agent': userAgent, accept: '*/*' }
    if (body !== undefined) {
      headers['content-type'] = 'application/jose+json'
      headers['content-length'] = Buffer.byteLength(body)
    }
    const isPlain = url.protocol === 'http:'
    const agent = isPlain ? this.#agents.http : this.#agents.https
    return new Promise((resolve, reject) => {
      const request = (isPlain ? http : https).request(url, { method, headers, agent, signal })
      const fail = (error: unknown) => {
        cancel()
        request.destroy()
        reject(signal.aborted ? signal.reason : explain(error, url))
      }
      const cancel = runtime.after(ANSWER_MS, () => fail(new Error(`no answer for ${ANSWER_MS / 1000} seconds`)))
      request.on('error', fail)
      request.on('response', (response) => {
        const chunks: Buffer[] = []
        let length = 0
        response.on('data', (chunk: Buffer) => {
          length += chunk.length
          if (length > MAX_BYTES) fail(nonsense(`${url.host} answers with more than ${MAX_BYTES / 1024} KiB`))
          else chunks.push(chunk)
        })
        response.on('error', fail)
        response.on('aborted', () => fail(new Error('the answer ended in the middle')))
        response.on('end', () => {
          cancel()
          resolve({ response, bytes: Buffer.concat(chunks) })
        })
      })
      request.end(body)
    })
  }
}

function explain(error: unknown, url: URL): AuthorityError {
  if (error instanceof AuthorityError) return error
  const why = error instanceof Error ? error.message : String(error)
  return new AuthorityError('unreachable', `the certificate authority at ${url.host} cannot be reached: ${why}`, {
    cause: error,
    hint: 'It is tried again by itself. See whether this server may open connections to the internet at port 443.',
  })
}

function readBody(response: IncomingMessage, bytes: Buffer, url: URL): unknown {
  const text = bytes.toString('utf8')
  if (!JSON_TYPE.test(response.headers['content-type'] ?? '')) return text
  try {
    return JSON.parse(text)
  } catch (cause) {
    if (text === '') return text
    throw nonsense(`${url.host} answers with JSON that is none`, cause)
  }
}

function singles(response: IncomingMessage): Record<string, string | undefined> {
  const headers: Record<string, string | undefined> = {}
  for (const [name, value] of Object.entries(response.headers)) headers[name] = Array.isArray(value) ? value[0] : value
  return headers
}

/** An answer that no authority should give. */
export function nonsense(what: string, cause?: unknown): AuthorityError {
  return new AuthorityError('nonsense', `the certificate authority cannot be followed: ${what}`, {
    cause,
    hint: 'See whether [acme] directory is the address of an ACME directory. It is tried again by itself.',
  })
}
