import type { ErrorCode } from '@bytecodealliance/preview2-shim/interfaces/wasi-sockets-network'
import type { Answer } from '../../guest-contract/index.ts'

const CODES: ReadonlySet<string> = new Set<ErrorCode>([
  'unknown',
  'access-denied',
  'not-supported',
  'invalid-argument',
  'out-of-memory',
  'timeout',
  'concurrency-conflict',
  'not-in-progress',
  'would-block',
  'invalid-state',
  'new-socket-limit',
  'address-not-bindable',
  'address-in-use',
  'remote-unreachable',
  'connection-refused',
  'connection-reset',
  'connection-aborted',
  'datagram-too-large',
  'name-unresolvable',
  'temporary-resolver-failure',
  'permanent-resolver-failure',
])

/** What an owner said went wrong, as a code of wasi:sockets; `unknown` for what is none. */
export function toNetworkCode({ error }: Extract<Answer, { error: string }>): ErrorCode {
  return CODES.has(error) ? (error as ErrorCode) : 'unknown'
}

/** Throws a code, which is an answer to the guest. */
export function refuse(code: ErrorCode): never {
  throw code
}
