import { MakiError } from '../../core/index.ts'

/** What an authority made of a request that did not go well. */
export class AuthorityError extends MakiError {
  /**
   * An error type of RFC 8555 section 6.7 without its prefix; of ours: `unreachable`, `nonsense` (no answer that an authority gives),
   * `wrong-certificate`. One of RFC 8555 may be tried again at another authority; so may ours.
   */
  readonly type: string
  /** Nobody asks again before; bounded, milliseconds from now. */
  readonly retryAfterMs: number | undefined
  /** The name that it is about, where the authority says so. */
  readonly identifier: string | undefined

  constructor(
    type: string,
    message: string,
    options: {
      cause?: unknown
      hint?: string
      retryAfterMs?: number | undefined
      identifier?: string | undefined
    } = {},
  ) {
    super(type === 'unreachable' ? 'MAKI_UNREACHABLE' : 'MAKI_AUTHORITY', message, options)
    this.type = type
    this.retryAfterMs = options.retryAfterMs
    this.identifier = options.identifier
  }
}
