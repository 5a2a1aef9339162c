import type { Duplex, Readable } from 'node:stream'

/** Where a machine is reached over SSH. */
export interface SshTarget {
  readonly user: string
  /** A name or an address, an IPv6 address without brackets. */
  readonly host: string
  readonly port: number
}

/** What a remote command said and how it ended. */
export interface RemoteOutcome {
  /** Null where a signal ended it. */
  readonly code: number | null
  readonly signal: string | undefined
  readonly stdout: string
  readonly stderr: string
}

/** A remote command that runs: standard input is written to it, standard output read from it. */
export interface RemoteProcess {
  readonly stdio: Duplex
  readonly stderr: Readable
  /** Resolves when it has ended and all that it said has been read; rejects with MAKI_UNREACHABLE where the connection was lost. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | undefined }>
}

/**
 * What stands before the shell when a command needs root: nothing for root, `sudo -n`, or `sudo -S` with a password on
 * standard input. A password goes there alone: never into a command line, an environment or a log.
 */
export type Privilege =
  | { readonly kind: 'root' }
  | { readonly kind: 'sudo' }
  | { readonly kind: 'sudo-password'; readonly password: string }

export interface RunOptions {
  /** What standard input is fed with; it is closed after that. */
  readonly input?: Uint8Array | string | AsyncIterable<Uint8Array>
  /** Runs as root. */
  readonly privilege?: Privilege
  /** MAKI_TIMEOUT where it has not ended by then. */
  readonly answerMs?: number
  readonly signal?: AbortSignal
}

/**
 * One connection to a server. Commands are words that this program holds (`command` is never built from what users said):
 * data travels on standard input. Every method throws MAKI_UNREACHABLE where the connection is lost.
 */
export interface SshHost extends AsyncDisposable {
  readonly target: SshTarget
  /** The key that the server proved, as `known_hosts` has it: type and base64. */
  readonly hostKey: string
  /** The address that was connected to. */
  readonly address: string
  /** Runs to its end; a command that fails is an outcome, not an error. At most 64 MiB are read. */
  run(command: string, options?: RunOptions): Promise<RemoteOutcome>
  /** Starts a command and leaves its streams to the caller. */
  start(command: string, options?: Pick<RunOptions, 'privilege' | 'signal'>): Promise<RemoteProcess>
  /** A stream to the daemon's control API: a forwarded socket, or `makiatto stdio` where forwarding is not allowed. */
  openControl(): Promise<Duplex>
}
