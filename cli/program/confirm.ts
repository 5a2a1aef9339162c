import { MakiError } from '../../core/index.ts'
import type { Host } from './host.ts'

export interface ConfirmOptions {
  /** `--yes` was typed. */
  readonly yes: boolean
  /** What would be typed to go ahead without being asked, without the `--yes`. */
  readonly line: string
  readonly json: boolean
}

/**
 * Asks before something that is hard to take back. Resolves when it may be done; throws MAKI_NO for any answer but y and
 * yes, and MAKI_USAGE, with the line to type, where nobody can be asked.
 */
export async function confirm(
  host: Pick<Host, 'ask' | 'signal'>,
  question: string,
  { yes, line, json }: ConfirmOptions,
): Promise<void> {
  if (yes) return
  if (host.ask === undefined || json) {
    throw new MakiError('MAKI_USAGE', 'this asks before it is done, and there is no terminal to ask on', {
      hint: `${line} --yes`,
    })
  }
  const answer = await host.ask(`${question} [y/N] `)
  host.signal.throwIfAborted()
  if (/^\s*y(es)?\s*$/i.test(answer)) return
  throw new MakiError('MAKI_NO', 'nothing was written', { hint: `${line} --yes` })
}
