import type { Privilege } from './ssh-host.ts'

/** Why sudo did not run a command. */
export type SudoReason =
  | 'missing'
  | 'needs-password'
  | 'wrong-password'
  | 'needs-terminal'
  | 'not-in-sudoers'
  | 'not-allowed'
  | 'other'

/** sudo did not run the command; none of what was to be fed to it was sent. */
export class SudoRefused extends Error {
  override readonly name = 'SudoRefused'
  readonly reason: SudoReason
  /** What it said, a stranger's words. */
  readonly said: string

  constructor(reason: SudoReason, said: string) {
    super(`sudo did not run the command: ${reason}`)
    this.reason = reason
    this.said = said
  }
}

const PROMPT = 'makiatto-sudo-password:'
const BEGUN = 'makiatto-sudo-begun'
/** Warnings and lectures of sudo come before; more is not one. */
const MOST_BYTES = 64 * 1024

/**
 * The line that runs a command as root. Both are constants of this program. Standard error tells when sudo asks for the
 * password, and when the command begins, so that the password goes to nobody but sudo and the input to nobody but the
 * command.
 */
export function buildSudoLine(command: string, kind: Exclude<Privilege['kind'], 'root'>): string {
  const how = kind === 'sudo' ? '-n' : `-S -k -p '${PROMPT}'`
  const script = `echo ${BEGUN} >&2; ${command}`
  return `env LC_ALL=C sudo ${how} -- sh -c '${script.replaceAll("'", "'\\''")}'`
}

/** What is to be done after more of standard error has come. */
export type SudoStep =
  | { readonly kind: 'wait' }
  | { readonly kind: 'password' }
  /** The command runs; `rest` is what it said on standard error already. */
  | { readonly kind: 'begun'; readonly rest: Buffer }
  | { readonly kind: 'refused'; readonly reason: SudoReason; readonly said: string }

/** Reads standard error until the command begins. */
export class SudoTalk {
  #said = Buffer.alloc(0)
  #prompts = 0

  take(chunk: Buffer): SudoStep {
    this.#said = Buffer.concat([this.#said, chunk])
    const begun = this.#said.indexOf(`${BEGUN}\n`)
    if (begun !== -1) return { kind: 'begun', rest: this.#said.subarray(begun + BEGUN.length + 1) }
    if (this.#said.length > MOST_BYTES) return { kind: 'refused', reason: 'other', said: this.text }
    const prompts = this.#said.toString('latin1').split(PROMPT).length - 1
    if (prompts <= this.#prompts) return { kind: 'wait' }
    this.#prompts = prompts
    return prompts === 1 ? { kind: 'password' } : { kind: 'refused', reason: 'wrong-password', said: this.text }
  }

  /** It ended without having begun. */
  end(code: number | null): Extract<SudoStep, { kind: 'refused' }> {
    return { kind: 'refused', reason: findReason(this.text, code, this.#prompts > 0), said: this.text }
  }

  get text(): string {
    return this.#said.toString('utf8').replaceAll(PROMPT, '').trim()
  }
}

/** By the words of sudo(8) in the C locale. */
function findReason(said: string, code: number | null, wasAsked: boolean): SudoReason {
  if (/must have a tty|no tty present|a terminal is required/i.test(said)) return 'needs-terminal'
  if (/not in the sudoers file|may not run sudo/i.test(said)) return 'not-in-sudoers'
  if (/is not allowed to (execute|run)/i.test(said)) return 'not-allowed'
  if (/incorrect password|no password was provided|Sorry, try again|Authentication fail/i.test(said))
    return wasAsked ? 'wrong-password' : 'needs-password'
  if (/password is required/i.test(said)) return wasAsked ? 'wrong-password' : 'needs-password'
  if (code === 127 || /sudo.*(not found|no such file)/i.test(said)) return 'missing'
  return 'other'
}
