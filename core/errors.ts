/**
 * Every error that a person or a program can meet carries a stable code, a message that says what was refused and
 * why, and a hint that names the way out. The table maps codes to HTTP status and exit code, in one place.
 */
const CODES = {
  /** The request or the file is wrong; nothing was tried. */
  MAKI_USAGE: { http: 400, exit: 2 },
  MAKI_CONFIG: { http: 400, exit: 2 },
  /** A name, record, path or value that does not parse. */
  MAKI_INVALID: { http: 400, exit: 2 },
  MAKI_NOT_FOUND: { http: 404, exit: 4 },
  /** The bytes are no operation, or not one of this cluster. */
  MAKI_OPERATION_INVALID: { http: 400, exit: 4 },
  /** The operation's author is not a member, or its stamp lies too far ahead. */
  MAKI_OPERATION_REFUSED: { http: 403, exit: 4 },
  MAKI_BLOB_MISMATCH: { http: 422, exit: 4 },
  MAKI_BLOB_MISSING: { http: 409, exit: 4 },
  /** Something changed under the command: another writer, a file that moved while it was read. */
  MAKI_CONFLICT: { http: 409, exit: 4 },
  /** The answer to the question that was asked is no. */
  MAKI_NO: { http: 200, exit: 1 },
  MAKI_UNREACHABLE: { http: 503, exit: 3 },
  MAKI_TIMEOUT: { http: 504, exit: 3 },
  MAKI_PORT_IN_USE: { http: 500, exit: 4 },
  MAKI_LOCKED: { http: 409, exit: 4 },
  MAKI_STORE_FAILED: { http: 503, exit: 4 },
  MAKI_STORE_DAMAGED: { http: 503, exit: 4 },
  MAKI_DISK_FULL: { http: 507, exit: 4 },
  MAKI_PROTOCOL: { http: 400, exit: 4 },
  MAKI_TOO_LARGE: { http: 413, exit: 4 },
  MAKI_UNSUPPORTED: { http: 501, exit: 4 },
  /** A certificate authority refused, or answered what no authority should. */
  MAKI_AUTHORITY: { http: 502, exit: 4 },
  MAKI_INTERNAL: { http: 500, exit: 4 },
} as const

export type ErrorCode = keyof typeof CODES

export interface ErrorShape {
  readonly code: ErrorCode
  readonly message: string
  readonly hint?: string
}

export class MakiError extends Error {
  override readonly name = 'MakiError'
  readonly code: ErrorCode
  /** What to type or do next; absent only where nothing can be done. */
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
  }

  get httpStatus(): number {
    return CODES[this.code].http
  }

  get exitCode(): number {
    return CODES[this.code].exit
  }

  toJSON(): ErrorShape {
    return { code: this.code, message: this.message, ...(this.hint === undefined ? {} : { hint: this.hint }) }
  }
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(CODES, value)
}

/** Any thrown value as a MakiError; what is not one yet becomes MAKI_INTERNAL with the original as its cause. */
export function asMakiError(thrown: unknown): MakiError {
  if (thrown instanceof MakiError) return thrown
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new MakiError('MAKI_INTERNAL', message, { cause: thrown })
}
