import { createPublicKey, randomBytes, verify, type webcrypto } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as x509 from '@peculiar/x509'

/** An answer that is given in place of the right one; a function does with the response what it likes. */
export type Answer =
  | { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: unknown }
  | ((response: ServerResponse, right: () => Promise<void>) => void | Promise<void>)

export interface FakeOptions {
  readonly profiles?: readonly string[]
  /** How long its certificates live, and since when, milliseconds from now. */
  readonly lifeMs?: number
  readonly sinceMs?: number
  /** What it says of when to renew (RFC 9773); none where it is undefined. */
  readonly window?: () => { readonly startMs: number; readonly endMs: number; readonly retryAfter?: string }
  /** Looks whether what was asked for is shown; all is taken where nothing is said. */
  readonly look?: (challenge: { host: string; type: string; token: string; thumbprint: string }) => Promise<boolean>
}

interface Authorization {
  readonly host: string
  readonly wildcard: boolean
  readonly token: string
  status: string
}

interface Order {
  readonly names: readonly string[]
  readonly authorizations: number[]
  status: 'pending' | 'ready' | 'valid' | 'invalid'
  certificate?: string
  readonly request: Record<string, unknown>
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
x509.cryptoProvider.set(crypto)

/**
 * A small certificate authority (RFC 8555, profiles, RFC 9773) of a test's own, on loopback without TLS, that checks signatures and
 * nonces and says what it is told to say in place of what is right: what a real one does on its bad days.
 */
export class FakeAuthority implements AsyncDisposable {
  readonly directory: string
  /** What was asked, `POST newOrder` and so on. */
  readonly asked: string[] = []
  readonly orders: Order[] = []
  readonly revoked: string[] = []
  /** PEM of its root. */
  readonly root: string
  options: FakeOptions
  readonly #server: Server
  readonly #signer: { readonly keys: webcrypto.CryptoKeyPair; readonly certificate: x509.X509Certificate }
  readonly #nonces = new Set<string>()
  readonly #accounts: webcrypto.JsonWebKey[] = []
  #delayed: ReadonlySet<string> = new Set()
  readonly #ended = new Set<webcrypto.JsonWebKey>()
  readonly #authorizations: Authorization[] = []
  readonly #instead = new Map<string, { readonly answer: Answer; times: number }>()

  private constructor(
    server: Server,
    signer: { keys: webcrypto.CryptoKeyPair; certificate: x509.X509Certificate },
    options: FakeOptions,
  ) {
    this.#server = server
    this.#signer = signer
    this.options = options
    this.root = signer.certificate.toString('pem')
    this.directory = `http://127.0.0.1:${(server.address() as AddressInfo).port}/directory`
    server.on('request', (request, response) => void this.#answer(request, response))
  }

  static async open(options: FakeOptions = {}): Promise<FakeAuthority> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const keys = (await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
    const nowMs = Date.now()
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: 'CN=Fake root',
      keys,
      serialNumber: '01',
      notBefore: new Date(nowMs - 400 * 86_400_000),
      notAfter: new Date(nowMs + 4000 * 86_400_000),
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    })
    return new FakeAuthority(server, { keys, certificate }, options)
  }

  get #base(): string {
    return new URL('/', this.directory).href
  }

  /** Says something else the next times that a resource is asked for: `newOrder`, `order`, `authz`, `finalize`, … */
  instead(resource: string, answer: Answer, times = Number.POSITIVE_INFINITY): void {
    this.#instead.set(resource, { answer, times })
  }

  /** Goes on saying that it looks at these. */
  delay(hosts: readonly string[]): void {
    this.#delayed = new Set(hosts)
  }

  well(resource: string): void {
    this.#instead.delete(resource)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, resource = '', id = ''] = (request.url ?? '').split('/')
    this.asked.push(`${request.method} ${resource}`)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const nonce = randomBytes(12).toString('base64url')
    this.#nonces.add(nonce)
    response.setHeader('replay-nonce', nonce)
    const right = () => this.#right(resource, Number(id), id, Buffer.concat(chunks).toString(), request, response)
    const other = this.#instead.get(resource)
    if (other === undefined || other.times-- <= 0) return await right()
    if (typeof other.answer === 'function') return await other.answer(response, right)
    const { status = 200, headers = {}, body } = other.answer
    say(response, status, body, headers)
  }

  async #right(
    resource: string,
    id: number,
    word: string,
    body: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const at = (path: string) => `${this.#base}${path}`
    if (resource === 'directory') {
      const meta = { caaIdentities: ['fake.test', '///'], ...this.#profiles() }
      const info = this.options.window === undefined ? {} : { renewalInfo: at('renewalInfo') }
      const names = ['newNonce', 'newAccount', 'newOrder', 'revokeCert']
      return say(response, 200, { ...Object.fromEntries(names.map((name) => [name, at(name)])), ...info, meta })
    }
    if (resource === 'newNonce') return say(response, 200, undefined)
    if (resource === 'renewalInfo') {
      const { startMs, endMs, retryAfter = '21600' } = this.options.window?.() ?? { startMs: 0, endMs: 1 }
      this.asked.push(`renewal of ${word}`)
      const suggestedWindow = { start: new Date(startMs).toISOString(), end: new Date(endMs).toISOString() }
      return say(response, 200, { suggestedWindow }, { 'retry-after': retryAfter })
    }
    const read = this.#read(body, request)
    if (typeof read === 'string') return problem(response, 400, read)
    const { payload, jwk, account } = read
    switch (resource) {
      case 'newAccount':
        this.#accounts.push(jwk)
        return say(response, 201, { status: 'valid' }, { location: at(`account/${this.#accounts.length - 1}`) })
      case 'account':
        if (payload.status === 'deactivated') this.endAccount(id)
        return say(response, 200, { status: payload.status ?? 'valid' })
      case 'newOrder':
        return this.#newOrder(payload, response)
      case 'authz':
        return say(response, 200, this.#authorization(id))
      case 'challenge':
        return await this.#look(word, account as webcrypto.JsonWebKey, response)
      case 'order':
        return say(response, 200, this.#order(id))
      case 'finalize':
        return await this.#finalize(id, payload, response)
      case 'certificate':
        return say(response, 200, this.orders[id]?.certificate, { 'content-type': 'application/pem-certificate-chain' })
      case 'revokeCert':
        this.revoked.push(String(payload.certificate))
        return say(response, 200, undefined)
      default:
        return problem(response, 404, 'malformed')
    }
  }

  /** As its owner may do elsewhere. */
  endAccount(index: number): void {
    this.#ended.add(this.#accounts[index] as webcrypto.JsonWebKey)
  }

  /** The error type where the signature, the nonce or the address is wrong (RFC 8555 section 6). */
  #read(
    body: string,
    request: IncomingMessage,
  ): string | { payload: Record<string, unknown>; jwk: webcrypto.JsonWebKey; account?: webcrypto.JsonWebKey } {
    const jws = JSON.parse(body) as { protected: string; payload: string; signature: string }
    const decode = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString())
    const head = decode(jws.protected) as {
      nonce: string
      url: string
      kid?: string
      jwk?: webcrypto.JsonWebKey
      alg: string
    }
    const account = head.kid === undefined ? undefined : this.#accounts[Number(head.kid.split('/').at(-1))]
    const jwk = head.jwk ?? account
    if (jwk === undefined) return 'accountDoesNotExist'
    if (account !== undefined && this.#ended.has(account)) return 'unauthorized'
    if (!this.#nonces.delete(head.nonce)) return 'badNonce'
    if (head.url !== new URL(request.url ?? '', this.#base).href || head.alg !== 'ES256') return 'unauthorized'
    const key = { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' } as const
    const signed = Buffer.from(`${jws.protected}.${jws.payload}`)
    if (!verify('SHA256', signed, key, Buffer.from(jws.signature, 'base64url'))) return 'unauthorized'
    return {
      payload: jws.payload === '' ? {} : decode(jws.payload),
      jwk,
      ...(account === undefined ? {} : { account }),
    }
  }

  #profiles(): object {
    const { profiles } = this.options
    return profiles === undefined ? {} : { profiles: Object.fromEntries(profiles.map((name) => [name, 'about it'])) }
  }

  #newOrder(payload: Record<string, unknown>, response: ServerResponse): void {
    const { profile } = payload as { profile?: string }
    if (profile !== undefined && this.options.profiles?.includes(profile) !== true) {
      problem(response, 400, 'invalidProfile')
      return
    }
    const names = (payload.identifiers as { value: string }[]).map(({ value }) => value)
    const authorizations = names.map((name) => {
      const token = randomBytes(16).toString('base64url')
      const wildcard = name.startsWith('*.')
      this.#authorizations.push({ host: name.replace('*.', ''), wildcard, status: 'pending', token })
      return this.#authorizations.length - 1
    })
    this.orders.push({ names, authorizations, status: 'pending', request: payload })
    const id = this.orders.length - 1
    say(response, 201, this.#order(id), { location: `${this.#base}order/${id}` })
  }

  #order(id: number): object {
    const order = this.orders[id] as Order
    const all = order.authorizations.map((one) => this.#authorizations[one]?.status)
    if (order.status === 'pending' && all.every((status) => status === 'valid')) order.status = 'ready'
    if (all.includes('invalid')) order.status = 'invalid'
    return {
      status: order.status,
      authorizations: order.authorizations.map((one) => `${this.#base}authz/${one}`),
      finalize: `${this.#base}finalize/${id}`,
      ...(order.certificate === undefined ? {} : { certificate: `${this.#base}certificate/${id}` }),
    }
  }

  #authorization(id: number): object {
    const { host, wildcard, status: ended, token } = this.#authorizations[id] as Authorization
    const status = this.#delayed.has(host) ? 'pending' : ended
    const types = wildcard ? ['dns-01'] : ['http-01', 'dns-01', 'future-01']
    const error = { type: 'urn:ietf:params:acme:error:unauthorized', detail: 'it is not shown' }
    const challenges = types.map((type) => ({
      ...{ type, status, token, url: `${this.#base}challenge/${id}.${type}` },
      ...(status === 'invalid' ? { error } : {}),
    }))
    return { identifier: { type: 'dns', value: host }, status, ...(wildcard ? { wildcard } : {}), challenges }
  }

  async #look(word: string, jwk: webcrypto.JsonWebKey, response: ServerResponse): Promise<void> {
    const [index, type = ''] = word.split('.')
    const authorization = this.#authorizations[Number(index)] as Authorization
    const { kty, crv, x, y } = jwk
    const input = new TextEncoder().encode(JSON.stringify({ crv, kty, x, y }))
    const thumbprint = Buffer.from(await crypto.subtle.digest('SHA-256', input)).toString('base64url')
    const { host, token } = authorization
    const isShown = (await this.options.look?.({ host, type, token, thumbprint })) ?? true
    authorization.status = isShown ? 'valid' : 'invalid'
    say(response, 200, { type, status: authorization.status, token, url: `${this.#base}challenge/${word}` })
  }

  async #finalize(id: number, payload: Record<string, unknown>, response: ServerResponse): Promise<void> {
    const order = this.orders[id] as Order
    this.#order(id)
    if (order.status !== 'ready') return problem(response, 403, 'orderNotReady')
    const request = new x509.Pkcs10CertificateRequest(Buffer.from(String(payload.csr), 'base64url'))
    const key = await request.publicKey.export()
    order.certificate = await this.issue(key, order.names)
    order.status = 'valid'
    say(response, 200, this.#order(id))
  }

  /** A chain in PEM. */
  async issue(publicKey: CryptoKey, names: readonly string[]): Promise<string> {
    const { lifeMs = 90 * 86_400_000, sinceMs = -3_600_000 } = this.options
    const { keys, certificate } = this.#signer
    const notBefore = new Date(Date.now() + sinceMs)
    const leaf = await x509.X509CertificateGenerator.create({
      subject: '',
      issuer: certificate.subject,
      publicKey,
      signingKey: keys.privateKey,
      serialNumber: `00${randomBytes(9).toString('hex').replace(/^./, '8')}`,
      notBefore,
      notAfter: new Date(notBefore.getTime() + lifeMs),
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value }))),
        await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
        new x509.BasicConstraintsExtension(false),
      ],
    })
    return `${leaf.toString('pem')}\n${certificate.toString('pem')}\n`
  }
}

function say(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  const type = typeof body === 'string' ? {} : { 'content-type': 'application/json' }
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
  response.writeHead(status, { ...type, ...headers }).end(text)
}

function problem(response: ServerResponse, status: number, type: string): void {
  const body = { type: `urn:ietf:params:acme:error:${type}`, detail: `the fake says ${type}` }
  say(response, status, body, { 'content-type': 'application/problem+json' })
}
