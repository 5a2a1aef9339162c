import type { ErrorCode as FileErrorCode } from '@bytecodealliance/preview2-shim/interfaces/wasi-filesystem-types'
import type { ErrorCode as HttpErrorCode } from '@bytecodealliance/preview2-shim/interfaces/wasi-http-types'
import type { Error as WasiError } from '@bytecodealliance/preview2-shim/interfaces/wasi-io-error'
import type { ErrorCode as NetworkErrorCode } from '@bytecodealliance/preview2-shim/interfaces/wasi-sockets-network'
import { type Instance, Resource } from './instance.ts'

/** Why an operation of a stream failed, for the interface that the stream is of. */
export type IoFailure =
  | { readonly of: 'filesystem'; readonly code: FileErrorCode }
  | { readonly of: 'http'; readonly code: HttpErrorCode }
  | { readonly of: 'network'; readonly code: NetworkErrorCode }

/** `error` of wasi:io/error. No error of JavaScript's: thrown, it is an answer and not a trap. */
export class IoError extends Resource implements WasiError {
  readonly #failure: IoFailure

  constructor(instance: Instance, failure: IoFailure) {
    super(instance)
    this.#failure = failure
  }

  toDebugString(): string {
    const { code } = this.#failure
    return typeof code === 'string' ? code : code.tag
  }

  /** What failed. */
  static failureOf(error: IoError): IoFailure {
    return error.#failure
  }
}
