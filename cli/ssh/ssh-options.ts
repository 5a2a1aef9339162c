import type { Runtime } from '../../core/index.ts'
import type { SshTarget } from './ssh-host.ts'

/**
 * What is done with the key of a server that is neither pinned nor in `known_hosts`. `take`: its fingerprint is said, and it
 * is taken. `ask`: a person is asked; where nobody sits there it is said and taken. `require`: a person is asked; where
 * nobody sits there it is refused.
 */
export type FirstUse = 'take' | 'ask' | 'require'

/** Asks a person; absent where nobody sits there (`Host.ask`, `Host.askSecret`). */
export type Ask = (question: string) => Promise<string>

/** How a server is reached and what is said on the way. */
export interface SshOptions {
  readonly target: SshTarget
  /** The machine's name, for messages; else its target. */
  readonly name?: string | undefined
  /** The pinned key of the server, as `known_hosts` has it: type and base64. */
  readonly hostKey: string | undefined
  readonly firstUse: FirstUse
  /** `--ssh-priv-key`. */
  readonly keyFile?: string | undefined
  /** `--key` or `MAKIATTO_KEY`: a key file of makiatto, whose key is an SSH key, too. */
  readonly makiKeyFile?: string | undefined
  /** The operator's key of the profile; tried last. */
  readonly operatorKeyFile?: string | undefined
  readonly ask?: Ask | undefined
  readonly askSecret?: Ask | undefined
  /** HOME and SSH_AUTH_SOCK are read. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly runtime: Pick<Runtime, 'after' | 'monotonic'>
  readonly signal: AbortSignal
  /** A sentence that a person should read: the fingerprint of a server that is new. */
  readonly onNote: (text: string) => void
  /** Other patience than the usual, for tests. */
  readonly patience?: Partial<Patience>
}

/** How long is waited, milliseconds. */
export interface Patience {
  /** Until an address takes the connection. */
  readonly connectMs: number
  /** Between two addresses of a name. */
  readonly headStartMs: number
  /** From there until the server has let us in; the time in which a person is asked does not count. */
  readonly loginMs: number
  /** Nothing at all came from the server: it is taken for dead. */
  readonly silenceMs: number
  /** Until another session ends, where the server allows no more of them. */
  readonly sessionMs: number
}

/** What people and networks need. */
export const PATIENCE: Patience = {
  connectMs: 5_000,
  headStartMs: 300,
  loginMs: 20_000,
  silenceMs: 25_000,
  sessionMs: 10_000,
}
