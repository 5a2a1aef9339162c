import { findChallenges, type Hostname, type Runtime, type Scope, type State, scopeKind } from '../../core/index.ts'

/** Clocks of nodes differ by minutes at most, and an authority may ask again after it said that it is done. */
const GRACE_MS = 5 * 60_000

interface Shown {
  readonly authorization: string
  /** By the clock of who ordered. */
  readonly untilMs: number
}

/** What authorities that ask for a token of a host are shown, whichever node ordered (RFC 8555 section 8.3). */
export class HttpChallenges {
  readonly #runtime: Pick<Runtime, 'now'>
  readonly #byHost = new Map<string, ReadonlyMap<string, Shown>>()

  constructor(runtime: Pick<Runtime, 'now'>) {
    this.#runtime = runtime
  }

  /** Follows the scopes that changed. */
  refresh(state: State, scopes: Iterable<Scope>): void {
    for (const scope of scopes) {
      if (scopeKind(scope) !== 'challenge' || scope === 'challenge') continue
      const host = scope.slice('challenge/'.length)
      const tokens = new Map<string, Shown>()
      for (const { http, untilMs } of findChallenges(state, host as Hostname)) {
        for (const { token, authorization } of http) {
          // A token that two nodes say was said again; the later end counts.
          if ((tokens.get(token)?.untilMs ?? 0) <= untilMs) tokens.set(token, { authorization, untilMs })
        }
      }
      if (tokens.size > 0) this.#byHost.set(host, tokens)
      else this.#byHost.delete(host)
    }
  }

  /** The key authorization of a token, for exactly this host; undefined where there is none, or its time is over. */
  find(host: string, token: string): string | undefined {
    const shown = this.#byHost.get(host)?.get(token)
    return shown === undefined || shown.untilMs + GRACE_MS < this.#runtime.now() ? undefined : shown.authorization
  }
}
