import { X509Certificate } from 'node:crypto'
import * as v from 'valibot'
import { type Hostname, type Log, parseHostname, type Runtime } from '../../core/index.ts'
import { beginOrder } from './acme-order.ts'
import { AcmeSession, thumbprint } from './acme-session.ts'
import { type AcmeResponse, AcmeTransport, nonsense } from './acme-transport.ts'
import { AuthorityError } from './authority-error.ts'
import { makeKey } from './issued.ts'
import type { AcmeAccount, Authority, AuthorityFacts } from './ports.ts'
import { readProblem, readRetryAfter } from './problem.ts'
import { certificateId, readRenewalInfo } from './renewal-info.ts'

export interface AuthorityOptions {
  readonly directory: string
  readonly runtime: Pick<Runtime, 'now' | 'monotonic' | 'after'>
  readonly log: Log
  /** Of the program. */
  readonly version: string
  /** PEM of authorities that a private one's TLS certificate comes from. */
  readonly ca?: string | undefined
}

const DIRECTORY_MS = 3_600_000

/** How an authority says that an account is none, or none any more. */
const ENDED: ReadonlySet<string> = new Set(['unauthorized', 'accountDoesNotExist'])

const directorySchema = v.looseObject({
  newNonce: v.string(),
  newAccount: v.string(),
  newOrder: v.string(),
  revokeCert: v.optional(v.string()),
  renewalInfo: v.fallback(v.optional(v.string()), undefined),
  meta: v.fallback(
    v.optional(
      v.object({
        caaIdentities: v.fallback(v.optional(v.array(v.unknown())), undefined),
        externalAccountRequired: v.fallback(v.optional(v.boolean()), undefined),
        profiles: v.fallback(v.optional(v.record(v.string(), v.unknown())), undefined),
      }),
    ),
    undefined,
  ),
})
type Directory = v.InferOutput<typeof directorySchema>

/** Throws MAKI_CONFIG for what cannot be a directory; asks nobody yet. */
export function openAuthority(options: AuthorityOptions): Authority {
  return new AcmeAuthority(options)
}

class AcmeAuthority implements Authority {
  readonly directory: string
  readonly #options: AuthorityOptions
  readonly #transport: AcmeTransport
  #read: { readonly directory: Directory; readonly atMs: number } | undefined

  constructor(options: AuthorityOptions) {
    const { directory, runtime, ca, version } = options
    this.directory = directory
    this.#options = options
    this.#transport = new AcmeTransport({ directory, runtime, ca, userAgent: `makiatto/${version}` })
  }

  async describe(signal: AbortSignal): Promise<AuthorityFacts> {
    const { meta, renewalInfo } = await this.#readDirectory(signal)
    return {
      authorities: readAuthorities(meta?.caaIdentities ?? []),
      profiles: Object.keys(meta?.profiles ?? {}).filter((name) => /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(name)),
      needsBinding: meta?.externalAccountRequired === true,
      offersRenewalInfo: renewalInfo !== undefined,
    }
  }

  async register({ email, binding }: Parameters<Authority['register']>[0], signal: AbortSignal): Promise<AcmeAccount> {
    const key = await makeKey()
    const session = await this.#open({ key, ...(binding === undefined ? {} : { binding }) }, signal)
    const contact = email === undefined || email === '' ? {} : { contact: [`mailto:${email}`] }
    const payload = { termsOfServiceAgreed: true, ...contact }
    const { headers } = await session.post(session.resource('newAccount'), payload, 'an account', [200, 201])
    if (headers.location === undefined) throw nonsense('it does not say where the account is')
    this.#options.log.info('acme.registered', { directory: this.directory, account: headers.location })
    return { url: headers.location, key }
  }

  async order(account: AcmeAccount, request: Parameters<Authority['order']>[1], signal: AbortSignal) {
    const { renewalInfo } = await this.#readDirectory(signal)
    const { replaces } = request
    const replaced = replaces === undefined || renewalInfo === undefined ? undefined : await certificateId(replaces)
    const openSession = (within: AbortSignal) => this.#open({ key: account.key, account: account.url }, within)
    return await beginOrder(
      {
        session: await openSession(signal),
        thumbprint: thumbprint(account.key),
        request,
        now: () => this.#options.runtime.now(),
        openSession,
      },
      replaced,
    )
  }

  async renewalInfo(chain: string, signal: AbortSignal) {
    const { renewalInfo } = await this.#readDirectory(signal)
    if (renewalInfo === undefined) return undefined
    const id = await certificateId(chain)
    if (id === undefined) return undefined
    const response = await this.#transport.request('GET', `${renewalInfo.replace(/\/$/, '')}/${id}`, undefined, signal)
    if (response.status === 404) return undefined
    this.#require(response, 'to say when to renew')
    return readRenewalInfo(response, this.#options.runtime.now())
  }

  async revoke({ pem, reason, by }: Parameters<Authority['revoke']>[0], signal: AbortSignal): Promise<void> {
    const session = await this.#open('url' in by ? { key: by.key, account: by.url } : by, signal)
    const certificate = new X509Certificate(pem).raw.toString('base64url')
    try {
      await session.post(session.resource('revokeCert'), { certificate, reason }, 'to revoke')
    } catch (error) {
      if (!(error instanceof AuthorityError && error.type === 'alreadyRevoked')) throw error
    }
  }

  async deactivate(account: AcmeAccount, signal: AbortSignal): Promise<void> {
    const session = await this.#open({ key: account.key, account: account.url }, signal)
    await session.post(account.url, { status: 'deactivated' }, 'to end the account')
  }

  async hasEnded(account: AcmeAccount, signal: AbortSignal): Promise<boolean> {
    const session = await this.#open({ key: account.key, account: account.url }, signal)
    try {
      const { data } = await session.post(account.url, null, 'to say whether the account is valid')
      const said = v.safeParse(v.object({ status: v.picklist(['deactivated', 'revoked']) }), data)
      return said.success
    } catch (error) {
      if (error instanceof AuthorityError && ENDED.has(error.type)) return true
      throw error
    }
  }

  async #open(
    who: Pick<Parameters<typeof AcmeSession.open>[0], 'key' | 'account' | 'binding'>,
    signal: AbortSignal,
  ): Promise<AcmeSession> {
    const { runtime } = this.#options
    const directory = await this.#readDirectory(signal)
    return await AcmeSession.open({
      transport: this.#transport,
      runtime,
      directoryUrl: this.directory,
      directory,
      ...who,
      signal,
    })
  }

  /** As it was said within the hour, by a clock that does not jump. */
  async #readDirectory(signal: AbortSignal): Promise<Directory> {
    const nowMs = this.#options.runtime.monotonic()
    if (this.#read !== undefined && nowMs - this.#read.atMs < DIRECTORY_MS) return this.#read.directory
    const response = await this.#transport.request('GET', this.directory, undefined, signal)
    this.#require(response, 'to be asked')
    const said = v.safeParse(directorySchema, response.data)
    if (!said.success) throw nonsense(`${this.directory} is no ACME directory`)
    this.#read = { directory: said.output, atMs: nowMs }
    return said.output
  }

  #require(response: AcmeResponse, doing: string): void {
    if (response.status === 200) return
    const retryAfterMs = readRetryAfter(response, this.#options.runtime.now())
    throw readProblem(response.data, { status: response.status, retryAfterMs, doing })
  }
}

function readAuthorities(said: readonly unknown[]): Hostname[] {
  const hosts = new Set<Hostname>()
  for (const one of said.slice(0, 20)) {
    try {
      if (typeof one === 'string') hosts.add(parseHostname(one))
    } catch {
      // What is no host name stands in no CAA record.
    }
  }
  return [...hosts].sort()
}
