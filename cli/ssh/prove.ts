import ssh2, { type AnyAuthMethod, type ParsedKey } from 'ssh2'
import { asMakiError, type MakiError } from '../../core/index.ts'
import { formatFingerprint } from './host-key.ts'
import { type Identity, isUsable, type KeyRing, type Unusable } from './key-ring.ts'

/** Whose keys are offered, and as whom. */
export interface ProofOptions {
  readonly keyRing: KeyRing
  readonly user: string
  /** A person is asked, or is asked no more: that time does not count. */
  readonly onAsking: (isAsking: boolean) => void
}

/** Offers the keys of a ring to a server, one after the other, and remembers what came of each. */
export class Proof {
  readonly #options: ProofOptions
  readonly #identities: AsyncGenerator<Identity | Unusable>
  readonly #seen = new Set<string>()
  readonly #outcomes: string[] = []
  #offered: { label: string; failure: string | undefined } | undefined
  #fault: MakiError | undefined

  constructor(options: ProofOptions) {
    this.#options = options
    this.#identities = options.keyRing.list()
  }

  /** Why it cannot go on, where that is not the server's doing. */
  get fault(): MakiError | undefined {
    return this.#fault
  }

  /** A line for each key that was tried or could not be. */
  get outcomes(): readonly string[] {
    return this.#offered === undefined ? this.#outcomes : [...this.#outcomes, describe(this.#offered)]
  }

  /** The next way to prove who we are, as ssh2 wants it; false where there is none. */
  async next(): Promise<AnyAuthMethod | false> {
    if (this.#offered !== undefined) this.#outcomes.push(describe(this.#offered))
    this.#offered = undefined
    try {
      for (;;) {
        this.#options.onAsking(true)
        const { value, done } = await this.#identities.next().finally(() => this.#options.onAsking(false))
        if (done === true) return false
        if (!isUsable(value)) {
          this.#outcomes.push(`${value.label}: ${value.why}`)
          continue
        }
        const id = value.publicKey.toString('base64')
        if (this.#seen.has(id)) continue
        this.#seen.add(id)
        return { type: 'agent', username: this.#options.user, agent: this.#agentOf(value) }
      }
    } catch (thrown) {
      this.#fault = asMakiError(thrown)
      return false
    }
  }

  /** An agent that holds this one key. */
  #agentOf(identity: Identity): ssh2.BaseAgent {
    const offered = {
      label: `${identity.label} (${formatFingerprint({ blob: identity.publicKey })})`,
      failure: undefined as string | undefined,
    }
    this.#offered = offered
    const { onAsking } = this.#options
    return new OneKeyAgent(identity, onAsking, (failure) => {
      offered.failure = failure
    })
  }
}

class OneKeyAgent extends ssh2.BaseAgent<Buffer> {
  readonly #identity: Identity
  readonly #onAsking: (isAsking: boolean) => void
  readonly #onFailure: (why: string) => void

  constructor(identity: Identity, onAsking: (isAsking: boolean) => void, onFailure: (why: string) => void) {
    super()
    this.#identity = identity
    this.#onAsking = onAsking
    this.#onFailure = onFailure
  }

  getIdentities(tell: (error: Error | undefined, keys?: Buffer[]) => void): void {
    tell(undefined, [this.#identity.publicKey])
  }

  sign(
    _key: Buffer | ParsedKey,
    data: Buffer,
    options: { hash?: string } | ((error?: Error, signature?: Buffer) => void),
    tell?: (error?: Error, signature?: Buffer) => void,
  ): void {
    const answer = typeof options === 'function' ? options : tell
    const hash = typeof options === 'function' ? undefined : options.hash
    this.#onAsking(true)
    this.#identity
      .sign(data, hash)
      .finally(() => this.#onAsking(false))
      .then(
        (signature) => answer?.(undefined, signature),
        (thrown: unknown) => {
          this.#onFailure(asMakiError(thrown).message)
          answer?.(new Error('not signed'))
        },
      )
      // The connection may be gone by now.
      .catch(() => this.#onFailure('its signature could not be sent'))
  }
}

const describe = ({ label, failure }: { label: string; failure: string | undefined }): string =>
  `${label}: ${failure ?? 'the server does not take it'}`
