import { MakiError } from '../../core/index.ts'
import type { ControlWay } from './control-way.ts'
import { hasErrno } from './identity.ts'

/** Parameters behind a path; what is undefined is left out. */
export function formatQuery(parameters: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, value)
  return query.size === 0 ? '' : `?${query}`
}

/** What was asked, and of whom. */
export interface Asked {
  /** The machine's, for messages. */
  readonly name: string
  readonly way: ControlWay
  readonly signal: AbortSignal | undefined
}

/** Why a request to a control socket failed, as it is thrown: MAKI_UNREACHABLE, or the reason of the signal. */
export function explainFailure(error: unknown, { name, way: { socketPath }, signal }: Asked): unknown {
  if (error instanceof MakiError) return error
  if (signal?.aborted === true) return signal.reason
  const unreachable = (why: string): MakiError =>
    new MakiError('MAKI_UNREACHABLE', `${name} cannot be reached: ${why}`, { cause: error })
  if (socketPath === undefined) return unreachable(error instanceof Error ? error.message : String(error))
  if (hasErrno(error, 'EACCES')) return unreachable(`its control socket ${socketPath} may not be opened by you`)
  if (hasErrno(error, 'ENOENT') || hasErrno(error, 'ECONNREFUSED'))
    return unreachable(`nothing listens on its control socket ${socketPath}`)
  // sun_path of unix(7) holds 107 bytes and a NUL.
  if (hasErrno(error, 'EINVAL')) return unreachable(`the path of its control socket is too long for one: ${socketPath}`)
  return unreachable(error instanceof Error ? error.message : String(error))
}
