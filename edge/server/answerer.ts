import type { Runtime } from '../../core/index.ts'
import {
  describeNode,
  type Learnt,
  type Need,
  type Plan,
  type RespondOptions,
  refuse,
  respond,
  type SiteRequest,
} from '../respond/index.ts'
import type { SiteTable } from '../site/index.ts'
import { PasswordChecker } from './password-checker.ts'

export interface AnswererOptions extends RespondOptions {
  /** The table to answer from; asked once for each request, so that it sees one release from start to end. */
  readonly table: () => SiteTable
  readonly runtime: Pick<Runtime, 'monotonic' | 'randomBytes'>
  /** Finds out what an answer depends on, passwords aside. A rejection is answered with 503; without it there is nothing to be found. */
  readonly learn?: ((need: Need, request: SiteRequest) => Promise<Learnt>) | undefined
}

const NOTHING: Learnt = { asset: null, preview: null, transform: { kind: 'failed' } }

/** A request may need a preview, then a password, an asset, what transforms make of it, and what becomes of that as an image. */
const MAX_NEEDS = 6
const RETRY_AFTER_S = '5'

/**
 * Decides the answers of every transport: plain, TLS, HTTP/2 and the fast path all hand their requests here, so they
 * cannot differ. Never throws and never rejects.
 */
export class Answerer {
  readonly #options: AnswererOptions
  readonly #passwords: PasswordChecker

  constructor(options: AnswererOptions) {
    this.#options = options
    this.#passwords = new PasswordChecker(options.runtime)
  }

  /** At once wherever nothing has to be learnt. */
  answer(request: SiteRequest): Plan | Promise<Plan> {
    const table = this.#options.table()
    const decided = respond(request, table, {}, this.#options)
    return 'kind' in decided ? this.#answerAfter(decided, request, table) : decided
  }

  async #answerAfter(first: Need, request: SiteRequest, table: SiteTable): Promise<Plan> {
    const learn = this.#options.learn ?? (() => NOTHING)
    let need = first
    let learnt: Learnt = {}
    for (let i = 0; i < MAX_NEEDS; i++) {
      try {
        const more =
          need.kind === 'password'
            ? { password: { verdict: await this.#passwords.check(need) } }
            : await learn(need, request)
        learnt = { ...learnt, ...more }
      } catch {
        break
      }
      const decided = respond(request, table, learnt, this.#options)
      if (!('kind' in decided)) return decided
      need = decided
    }
    return refuse(request, 503, { ...describeNode(this.#options), 'retry-after': RETRY_AFTER_S })
  }
}
