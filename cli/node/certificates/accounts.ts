import * as v from 'valibot'
import {
  asMakiError,
  type Change,
  keys,
  type Log,
  type Runtime,
  type SealEpochKey,
  type Sealed,
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

const accountSchema = v.object({ url: v.pipe(v.string(), v.url()), key: v.string() })

/** How an authority says that an account is none, or none any more (RFC 8555 section 7.3.6). */
const ENDED: ReadonlySet<string> = new Set(['unauthorized', 'accountDoesNotExist', 'malformed'])

/** The cluster's accounts at authorities: sealed in the state, one a directory, used by every node. */
export class Accounts {
  readonly #options: AccountsOptions
  readonly #authorities = new Map<string, Authority>()

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

  /** That of the state, where this node can open it; else a new one, durable before it is used. */
  async require(directory: string, signal: AbortSignal): Promise<AcmeAccount> {
    return this.find(directory) ?? (await this.begin(directory, signal))
  }

  /** Undefined where there is none, or none that can be opened here. */
  find(directory: string): AcmeAccount | undefined {
    const { replica, log } = this.#options
    const value = replica.state.get(keys.account(directory))?.value as { account?: Sealed } | undefined
    if (value?.account === undefined) return undefined
    try {
      const opened = this.#options.seals.open(sealPurpose.account(directory), value.account)
      return v.parse(accountSchema, JSON.parse(new TextDecoder().decode(opened)))
    } catch (error) {
      log.warn('certificates.account-unreadable', { directory, error: asMakiError(error).code })
      return undefined
    }
  }

  /**
   * Ends the account whose key others may know, then takes another in its place. In this order: nothing else remembers the key. Cut off
   * in between, the next to do it finds that it is ended.
   */
  async roll(directory: string, signal: AbortSignal): Promise<void> {
    const before = this.find(directory)
    try {
      if (before !== undefined) await this.authority(directory).deactivate(before, signal)
    } catch (error) {
      if (!(error instanceof AuthorityError && ENDED.has(error.type))) throw error
    }
    await this.begin(directory, signal)
    this.#options.log.info('certificates.account-rolled', { directory })
  }

  /** Takes the place of the one that the state has. */
  async begin(directory: string, signal: AbortSignal): Promise<AcmeAccount> {
    const { settings, replica, runtime, commit, epoch } = this.#options
    const authority = this.authority(directory)
    const { authorities, needsBinding } = await authority.describe(signal)
    // Somebody else's credentials are nothing for another authority.
    const isWanted = directory === settings.directories[0]
    const binding = isWanted && needsBinding ? settings.binding : undefined
    const account = await authority.register(
      { email: settings.email, ...(binding === undefined ? {} : { binding }) },
      signal,
    )
    const place = { cluster: replica.cluster, purpose: sealPurpose.account(directory) }
    const text = new TextEncoder().encode(JSON.stringify({ url: account.url, key: account.key }))
    const sealed = sealValue(await epoch(), text, place, runtime)
    await commit([
      {
        kind: 'certificate.account',
        directory,
        account: sealed,
        ...(authorities.length === 0 ? {} : { authorities: [...authorities] }),
      },
    ])
    return account
  }
}
