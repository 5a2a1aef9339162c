import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import * as v from 'valibot'
import { isErrorCode, MakiError } from '../../core/index.ts'
import type { ActivationRequest } from './apply-activation.ts'
import { type ActivateResult, activateResult, type SetupEvent, setupEvent } from './protocol.ts'
import { lastLines } from './versions.ts'

/** Only one unit of a name can run. */
const UNIT = 'makiatto-activate'

/**
 * Does the request in a transient unit (`makiatto-activate.service`), which goes on when this process, or the connection
 * that it came by, ends. `tell` hears the steps. Throws MAKI_CONFLICT where one is under way, and what was refused before
 * anything was changed.
 */
export async function startActivation(
  request: ActivationRequest,
  tell: (event: Extract<SetupEvent, { event: 'step' }>) => void,
): Promise<ActivateResult> {
  const { execPath, execArgv, argv, env } = process
  const library = env.LD_LIBRARY_PATH === undefined ? [] : [`--setenv=LD_LIBRARY_PATH=${env.LD_LIBRARY_PATH}`]
  const unit = [`--unit=${UNIT}`, '--collect', '--quiet', '--pipe', '--wait', ...library]
  const child = spawn('systemd-run', [...unit, '--', execPath, ...execArgv, argv[1] as string, 'apply'])
  const { promise: failed, reject } = Promise.withResolvers<never>()
  child.once('error', (cause) => {
    reject(new MakiError('MAKI_UNSUPPORTED', `systemd-run does not start: ${cause.message}`, { cause }))
  })
  // It may refuse before it has read anything.
  child.stdin.on('error', () => {})
  child.stdin.end(JSON.stringify(request))
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    said = `${said}${piece}`.slice(-10_000)
  })
  const follow = async (): Promise<ActivateResult> => {
    for await (const line of createInterface({ input: child.stdout })) {
      const event = parseEvent(line)
      if (event?.event === 'step') tell(event)
      else if (event?.event === 'result') return v.parse(activateResult, event.result)
      else if (event?.event === 'error') throw refusal(event)
    }
    if (/already (exists|loaded)/.test(said))
      throw new MakiError('MAKI_CONFLICT', 'this node is restarted or upgraded at this moment', {
        hint: 'Wait until that has ended, then try again. On the server: systemctl status makiatto-activate',
      })
    throw new MakiError('MAKI_INTERNAL', `the unit ${UNIT} ended without a word: ${lastLines(said)}`)
  }
  return await Promise.race([follow(), failed])
}

function parseEvent(line: string): SetupEvent | undefined {
  try {
    const read = v.safeParse(setupEvent, JSON.parse(line))
    return read.success ? read.output : undefined
  } catch {
    return undefined
  }
}

function refusal({ code, message, hint }: Extract<SetupEvent, { event: 'error' }>): MakiError {
  return new MakiError(isErrorCode(code) ? code : 'MAKI_INTERNAL', message, hint === undefined ? {} : { hint })
}
