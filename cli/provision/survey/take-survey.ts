import { MakiError, type Runtime } from '../../../core/index.ts'
import { plainLine } from '../../output/text.ts'
import type { Privilege, SshHost } from '../../ssh/index.ts'
import { SCRIPT_COMMAND } from '../remote-commands.ts'
import { parseSurvey } from './parse-survey.ts'
import { SURVEY_SCRIPT } from './script.ts'
import type { Survey } from './survey.ts'

export interface TakenSurvey {
  readonly survey: Survey
  /** When the script was sent and when its answer was here, by the clock of this computer: the server's lies between. */
  readonly askedMs: number
  readonly answeredMs: number
}

/** All of it takes a second; a disk of the network that does not answer keeps `df` for ever. */
const ANSWER_MS = 120_000

/** Asks a server about itself, which changes nothing there. */
export async function takeSurvey(
  host: SshHost,
  privilege: Privilege,
  runtime: Pick<Runtime, 'now'>,
  signal?: AbortSignal,
): Promise<TakenSurvey> {
  const askedMs = runtime.now()
  const { code, stdout, stderr } = await host.run(SCRIPT_COMMAND, {
    privilege,
    input: SURVEY_SCRIPT,
    answerMs: ANSWER_MS,
    ...(signal === undefined ? {} : { signal }),
  })
  const answeredMs = runtime.now()
  if (code !== 0) {
    const said = plainLine(stderr.trim().split('\n').at(-1) ?? '').slice(0, 300)
    throw new MakiError(
      'MAKI_UNSUPPORTED',
      `${host.target.host} runs no shell for us${said === '' ? '' : `: ${said}`}`,
      {
        hint: 'Try by hand: ssh USER@HOST sh -c id',
      },
    )
  }
  return { survey: parseSurvey(stdout), askedMs, answeredMs }
}
