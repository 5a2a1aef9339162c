import type { Runtime } from '../../core/index.ts'
import type { Answer, Ask } from '../guest-contract/index.ts'

/** What is told and not answered. */
export type Told = Extract<Ask, { ask: 'print' }>

/** An answer of the owner, with bytes where the ask has some. */
export interface Answered {
  readonly header: Answer
  readonly body: Uint8Array
}

/** The way out of a guest's process, one ask at a time. */
export interface GuestChannel {
  /** Blocks until the owner answered. Throws where no answer can come any more: the process then ends. */
  ask(ask: Exclude<Ask, Told>, body?: Uint8Array): Answered
  tell(told: Told, body: Uint8Array): void
}

/** What a WASI for one instance of a guest rests on. */
export interface WasiPorts {
  readonly channel: GuestChannel
  readonly runtime: Pick<Runtime, 'now' | 'monotonic' | 'randomBytes'>
  /** All of the guest's environment. */
  readonly env: Readonly<Record<string, string>>
  /** The time that all of the site's files bear: that of the release, milliseconds since the Unix epoch. */
  readonly siteTimeMs: number
}

/** `wasi:cli/exit`: ends the run, as a trap does, and never the process. */
export class GuestExit extends Error {
  readonly succeeded: boolean

  constructor(succeeded: boolean) {
    super(`the component called exit ${succeeded ? 'with success' : 'with an error'}, and gave no result`)
    this.name = 'GuestExit'
    this.succeeded = succeeded
  }
}
