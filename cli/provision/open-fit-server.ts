import { MakiError } from '../../core/index.ts'
import type { Profile } from '../config/index.ts'
import { connectSsh, formatSshTarget, parseSshTarget, requirePrivilege } from '../ssh/index.ts'
import type { InitContext, InitRequest } from './init-context.ts'
import type { FitServer } from './set-up-server.ts'
import { judgeSurvey, requireFit } from './survey/judge.ts'
import { takeSurvey } from './survey/take-survey.ts'

/**
 * Connects, becomes root and looks at the server, which changes nothing there. Throws all that stands in the way at once. The
 * connection is closed with `owned`.
 */
export async function openFitServer(
  context: InitContext,
  request: InitRequest,
  profile: Profile | undefined,
  owned: AsyncDisposableStack,
): Promise<FitServer> {
  const { host: program, steps, keyRing, askSecret, connect = connectSsh } = context
  const { name, target, recreate, yes } = request
  const known = profile?.machines.find((machine) => machine.name === name)
  const isSame = known?.sshTarget !== undefined && parseSshTarget(known.sshTarget, known.port).host === target.host
  const { server, privilege } = await steps.run('Connect', async (step) => {
    const { env, runtime, signal } = program
    const connected = owned.use(
      await connect({
        target,
        name,
        hostKey: isSame ? known?.hostKey : undefined,
        firstUse: yes ? 'take' : 'ask',
        env,
        runtime,
        signal,
        keyRing,
        onNote: (text) => steps.note(text),
      }),
    )
    const root = await requirePrivilege(connected, askSecret)
    step.say(formatSshTarget(target))
    return { server: connected, privilege: root }
  })
  const survey = await steps.run('Look', async (step) => {
    const taken = await takeSurvey(server, privilege, program.runtime, program.signal)
    const judgement = judgeSurvey({
      ...taken,
      target: formatSshTarget(target),
      name,
      cluster: profile?.cluster,
      recreate,
    })
    requireFit(judgement, formatSshTarget(target))
    const { system } = taken.survey
    step.say(`${system.name}, ${system.machine}`)
    for (const warning of judgement.warnings) context.caution(`${name}: ${warning}`)
    return taken.survey
  })
  if (program.signal.aborted) throw new MakiError('MAKI_INTERNAL', 'interrupted')
  return { host: server, privilege, survey }
}
