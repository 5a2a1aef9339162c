import { createPrivateKey } from 'node:crypto'
import * as v from 'valibot'
import {
  type AccountValue,
  asMakiError,
  type Change,
  type ChangeOf,
  type Entry,
  type Hostname,
  keys,
  type Log,
  MakiError,
  type Runtime,
  type SealEpochKey,
  sealPurpose,
} from '../../../core/index.ts'
import { type AcmeAccount, type Authority, AuthorityError, openAuthority } from '../../../edge/index.ts'
import { type Replica, type SealOpener, sealValue } from '../../../replication/index.ts'
import type { CertificateSettings } from './settings.ts'

export interface AccountsOptions {
  readonly settings: CertificateSettings
  readonly replica: Replica
  readonly seals: SealOpener
  /** What new values are sealed to; one is begun where there is none. */
  readonly epoch: () => Promise<SealEpochKey>
  readonly commit: (changes: readonly Change[]) => Promise<unknown>
  readonly version: string
  readonly runtime: Runtime
  readonly log: Log
}

/** Any node may have written it: one that nobody can sign with is none. Null: there was one. */
const accountSchema = v.nullable(
  v.object({ url: v.pipe(v.string(), v.url()), key: v.pipe(v.string(), v.check(isAccountKey)) }),
)

function isAccountKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyDetails?.namedCurve === 'prime256v1'
  } catch {
    return false
  }
}

/** How an authority says that an account is none, or none any more (RFC 8555 section 7.3.6). */
const ENDED: ReadonlySet<string> = new Set(['unauthorized', 'accountDoesNotExist', 'malformed'])
/** An authority that cannot be asked now may be asked later. */
const PASSING: ReadonlySet<string> = new Set(['unreachable', 'serverInternal', 'rateLimited'])
/** How often a node tries to end an account that an authority says nothing sensible of. */
const MOST_TRIES = 5
/** How long one that this node was not given the key of is left to the others. */
const UNOPENED_MS = 3_600_000

/** The cluster's accounts at authorities: sealed in the state, one a directory, used by every node. */
export class Accounts {
  readonly #options: AccountsOptions
  readonly #authorities = new Map<string, Authority>()
  /** To end accounts, in vain. */
  readonly #tries = new Map<string, number>()

  constructor(options: AccountsOptions) {
    this.#options = options
  }

  /** Throws MAKI_CONFIG for what can be no directory. */
  authority(directory: string): Authority {
    const known = this.#authorities.get(directory)
    if (known !== undefined) return known
    const { runtime, log, version, settings } = this.#options
    const opened = openAuthority({ directory, runtime, log, version, ca: settings.ca })
    this.#authorities.set(directory, opened)
    return opened
  }

  /**
   * That of the state, where this node can open it; else a new one, durable before it is used. Throws MAKI_NOT_FOUND where this node
   * was not given yet what opens it.
   */
  async require(directory: string, signal: AbortSignal): Promise<AcmeAccount> {
    const found = this.find(directory)
    if (found !== undefined) return found
    const { seals, runtime } = this.#options
    const entry = this.#entry(directory)
    if (entry !== undefined && !seals.holds(entry.value.account.epoch)) {
      if (runtime.now() < entry.stamp.wallMs + UNOPENED_MS)
        throw new MakiError('MAKI_NOT_FOUND', `this node was not given yet what opens the account at ${directory}`, {
          hint: 'Another node orders, or this one does in an hour, with an account of its own.',
        })
    }
    return await this.begin(directory, signal)
  }

  #entry(directory: string): Entry<AccountValue> | undefined {
    return this.#options.replica.state.get(keys.account(directory)) as Entry<AccountValue> | undefined
  }

  /** Undefined where there is none, or none that can be opened here. */
  find(directory: string): AcmeAccount | undefined {
    const { log, seals } = this.#options
    const entry = this.#entry(directory)
    if (entry === undefined) return undefined
    try {
      const opened = seals.open(sealPurpose.account(directory), entry.value.account)
      return v.parse(accountSchema, JSON.parse(new TextDecoder().decode(opened))) ?? undefined
    } catch (error) {
      log.warn('certificates.account-unreadable', { directory, error: asMakiError(error).code })
      return undefined
    }
  }

  /**
   * Ends the account whose key others may know, then takes another in its place, where the authority is one of ours. In this order:
   * nothing else remembers the key. Cut off in between, the next to do it finds that it is ended.
   */
  async roll(directory: string, signal: AbortSignal): Promise<void> {
    const { settings, log, commit } = this.#options
    const before = this.find(directory)
    if (before !== undefined) await this.#deactivate(directory, before, signal)
    if (settings.directories.includes(directory)) await this.begin(directory, signal)
    else await commit([await this.#seal(directory, null)])
    this.#tries.delete(directory)
    log.info('certificates.account-rolled', { directory })
  }

  /** A node that was stolen may have written what no authority knows, or who never answers: that ends after some tries. */
  async #deactivate(directory: string, account: AcmeAccount, signal: AbortSignal): Promise<void> {
    const { settings, log } = this.#options
    const isOurs = settings.directories.includes(directory)
    try {
      await this.authority(directory).deactivate(account, signal)
    } catch (error) {
      signal.throwIfAborted()
      const type = error instanceof AuthorityError ? error.type : 'unknown'
      if (ENDED.has(type)) return
      const isStrange = URL.parse(account.url)?.host !== URL.parse(directory)?.host
      const tries = (this.#tries.get(directory) ?? 0) + 1
      this.#tries.set(directory, tries)
      const mayPass = isOurs && !isStrange && PASSING.has(type)
      if (mayPass || tries < MOST_TRIES) throw error
      log.warn('certificates.account-not-ended', { directory, error: asMakiError(error) })
    }
  }

  async #seal(
    directory: string,
    account: AcmeAccount | null,
    authorities: readonly Hostname[] = [],
  ): Promise<ChangeOf<'certificate.account'>> {
    const { replica, epoch, runtime } = this.#options
    const place = { cluster: replica.cluster, purpose: sealPurpose.account(directory) }
    const text = account === null ? 'null' : JSON.stringify({ url: account.url, key: account.key })
    const sealed = sealValue(await epoch(), new TextEncoder().encode(text), place, runtime)
    const said = authorities.length === 0 ? {} : { authorities: [...authorities] }
    return { kind: 'certificate.account', directory, account: sealed, ...said }
  }

  /** Takes the place of the one that the state has. */
  async begin(directory: string, signal: AbortSignal): Promise<AcmeAccount> {
    const { settings, commit } = this.#options
    const authority = this.authority(directory)
    const { authorities, needsBinding } = await authority.describe(signal)
    // Somebody else's credentials are nothing for another authority.
    const isWanted = directory === settings.directories[0]
    const binding = isWanted && needsBinding ? settings.binding : undefined
    const account = await authority.register(
      { email: settings.email, ...(binding === undefined ? {} : { binding }) },
      signal,
    )
    await commit([await this.#seal(directory, account, authorities)])
    return account
  }
}
