import { createHash, createPublicKey } from 'node:crypto'
import { MakiError, type Runtime } from '../../core/index.ts'
import { type AcmeResponse, type AcmeTransport, nonsense } from './acme-transport.ts'
import { AuthorityError } from './authority-error.ts'
import type { AccountBinding } from './ports.ts'
import { readProblem, readRetryAfter } from './problem.ts'

/** The part of acme-client that signs: JSON Web Signatures with nonces, which are tried again when they are refused. */
interface SigningClient {
  maxBadNonceRetries: number
  directoryCache: unknown
  directoryTimestamp: number
  request(url: string, method: string, opts?: { readonly data?: unknown }): Promise<AcmeResponse>
  signedRequest(
    url: string,
    payload: unknown,
    options: {
      readonly kid: string | null
      readonly nonce: string | null
      readonly includeExternalAccountBinding: boolean
    },
  ): Promise<AcmeResponse>
}

export interface SessionOptions {
  readonly transport: AcmeTransport
  readonly runtime: Pick<Runtime, 'now' | 'monotonic' | 'after'>
  readonly directoryUrl: string
  /** What it said when it was read. */
  readonly directory: Readonly<Record<string, unknown>>
  /** PEM of who signs. */
  readonly key: string
  /** Of the account; undefined where the key itself says who asks. */
  readonly account?: string | undefined
  readonly binding?: AccountBinding | undefined
  readonly signal: AbortSignal
}

const MAX_NONCES = 10
/** What passes: no connection, an authority that restarts. */
const PATIENCE_MS = [1000, 4000]
/** What is waited for before a request is tried again; more is left to who plans orders. */
const MAX_PAUSE_MS = 10_000
/** Between two looks at what an authority is at. */
const MAX_POLL_MS = 60_000
const POLL_MS = [500, 1000, 2000, 3000, 5000]

/** Signed requests of one account to one authority, in turn. */
export class AcmeSession {
  readonly #options: SessionOptions
  readonly #client: SigningClient
  #nonce: string | null = null

  private constructor(options: SessionOptions, client: SigningClient) {
    this.#options = options
    this.#client = client
    client.maxBadNonceRetries = MAX_NONCES
    client.directoryCache = options.directory
    client.directoryTimestamp = Math.floor(options.runtime.now() / 1000)
    // Its own way to send waits and tries for minutes, and cannot be stopped.
    client.request = async (url, method, { data } = {}) => {
      const body = data === undefined ? undefined : JSON.stringify(data)
      const sent = method.toUpperCase() as 'GET' | 'HEAD' | 'POST'
      const response = await options.transport.request(sent, url, body, options.signal)
      this.#nonce = readNonce(response)
      return response
    }
  }

  /** Loads acme-client, which most nodes do not need most of the time. */
  static async open(options: SessionOptions): Promise<AcmeSession> {
    const { default: acme } = await import('acme-client')
    const { directoryUrl, key, binding } = options
    const bound =
      binding === undefined ? {} : { externalAccountBinding: { kid: binding.keyId, hmacKey: binding.hmacKey } }
    const client = new acme.Client({ directoryUrl, accountKey: key, ...bound })
    return new AcmeSession(options, (client as unknown as { http: SigningClient }).http)
  }

  /** POST, or POST-as-GET without a payload (RFC 8555 section 6.3). Throws what a status other than these says. */
  async post(
    url: string,
    payload: object | null,
    doing: string,
    accepted: readonly number[] = [200],
  ): Promise<AcmeResponse> {
    for (let tries = 0; ; tries++) {
      try {
        return await this.#postOnce(url, payload, doing, accepted)
      } catch (error) {
        const pauseMs = findPause(error, tries)
        if (pauseMs === undefined) throw error
        await this.pause(pauseMs)
      }
    }
  }

  /** The address of a resource that the directory names. */
  resource(name: string): string {
    const url = this.#options.directory[name]
    if (typeof url !== 'string') throw nonsense(`its directory has no ${name}`)
    return url
  }

  /** Looks again until something is found, for at most so long. */
  async poll<T>(url: string, doing: string, forMs: number, look: (data: unknown) => T | undefined): Promise<T> {
    const [found] = await this.pollAll([url], doing, forMs, look)
    return found as T
  }

  /** Looks at all of them, again and again, until each has something to be found; all together for at most so long. */
  async pollAll<T>(
    urls: readonly string[],
    doing: string,
    forMs: number,
    look: (data: unknown) => T | undefined,
  ): Promise<readonly T[]> {
    const { runtime } = this.#options
    const endMs = runtime.monotonic() + forMs
    const found = new Map<string, T>()
    for (let looks = 0; ; looks++) {
      let askedMs = 0
      for (const url of urls) {
        if (found.has(url)) continue
        const response = await this.post(url, null, doing)
        const one = look(response.data)
        if (one !== undefined) found.set(url, one)
        askedMs = Math.max(askedMs, readRetryAfter(response, runtime.now()) ?? 0)
      }
      if (urls.every((url) => found.has(url))) return urls.map((url) => found.get(url) as T)
      const leftMs = endMs - runtime.monotonic()
      if (leftMs <= 0) {
        throw new AuthorityError(
          'unreachable',
          `the certificate authority did not end ${doing} in ${forMs / 60_000} min`,
          {
            hint: 'It is tried again by itself.',
          },
        )
      }
      const own = POLL_MS[Math.min(looks, POLL_MS.length - 1)] as number
      await this.pause(Math.min(leftMs, Math.max(own, Math.min(askedMs, MAX_POLL_MS))))
    }
  }

  pause(ms: number): Promise<void> {
    const { runtime, signal } = this.#options
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const stop = () => {
        cancel()
        reject(signal.reason)
      }
      const cancel = runtime.after(ms, () => {
        signal.removeEventListener('abort', stop)
        resolve()
      })
      signal.addEventListener('abort', stop, { once: true })
    })
  }

  async #postOnce(
    url: string,
    payload: object | null,
    doing: string,
    accepted: readonly number[],
  ): Promise<AcmeResponse> {
    const { account, binding, runtime } = this.#options
    const nonce = this.#nonce
    this.#nonce = null
    const isBound = binding !== undefined && url === this.#options.directory.newAccount
    let response: AcmeResponse
    try {
      response = await this.#client.signedRequest(url, payload, {
        kid: account ?? null,
        nonce,
        includeExternalAccountBinding: isBound,
      })
    } catch (error) {
      if (error instanceof MakiError || this.#options.signal.aborted) throw error
      throw nonsense(error instanceof Error ? error.message : String(error))
    }
    if (accepted.includes(response.status)) return response
    const retryAfterMs = readRetryAfter(response, runtime.now())
    throw readProblem(response.data, { status: response.status, retryAfterMs, doing })
  }
}

function findPause(error: unknown, tries: number): number | undefined {
  if (!(error instanceof AuthorityError)) return undefined
  const own = PATIENCE_MS[tries]
  if (own === undefined || !['unreachable', 'serverInternal', 'rateLimited'].includes(error.type)) return undefined
  const asked = error.retryAfterMs ?? own
  if (error.type === 'rateLimited' && error.retryAfterMs === undefined) return undefined
  return asked > MAX_PAUSE_MS ? undefined : Math.max(own, asked)
}

/** RFC 8555 section 6.5.1. */
function readNonce({ headers }: AcmeResponse): string | null {
  const nonce = headers['replay-nonce']
  return nonce !== undefined && /^[A-Za-z0-9_-]{1,512}$/.test(nonce) ? nonce : null
}

/** RFC 7638, of a P-256 key: what the digests of challenges are made with. */
export function thumbprint(key: string): string {
  const { crv, kty, x, y } = createPublicKey(key).export({ format: 'jwk' })
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url')
}
