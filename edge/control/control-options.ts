import type { Log, Runtime } from '../../core/index.ts'
import type { ControlBackend } from './control-api.ts'

/** What a control server needs; the path of its socket stays its own while it runs. */
export interface ControlServerOptions {
  readonly backend: ControlBackend
  readonly socketPath: string
  readonly log: Log
  readonly runtime: Runtime
}

export interface ControlServer extends AsyncDisposable {
  readonly socketPath: string
  /** Ends event streams, lets other requests finish for five seconds, then cuts; removes the socket. Idempotent. */
  close(): Promise<void>
}
