import { asMakiError, type MemberKey } from '../../core/index.ts'
import { pause } from '../client/local-replica.ts'
import type { ProfileContent } from '../config/index.ts'
import { readPackageInfo } from '../program/package-info.ts'
import { askOthers, summarizeOpinions } from './ask-others.ts'
import { awaitNode } from './await-node.ts'
import type { InitContext, InitRequest } from './init-context.ts'
import type { ChosenAddresses } from './survey/addresses.ts'
import { type Answer, verifyNode } from './verify-node.ts'

/** Who looked before it listened holds what it saw for half a minute, and needs two looks more. */
const VERDICT_MS = 60_000
const AGAIN_MS = 2_000
const MORE_LOOKS = 2

/** Waits until the node has what the others have; resolves with what it does not come to. */
export async function waitAndLook(
  context: InitContext,
  { name }: InitRequest,
  profile: ProfileContent,
  key: MemberKey,
): Promise<string[]> {
  const { steps, host } = context
  const faults: string[] = []
  try {
    await steps.run('Wait for the node', async (step) => {
      await using client = await context.openClient(profile, { offline: false, node: name })
      const lack = await awaitNode(client, key, host.runtime, (text) => step.progress(text))
      if (lack === undefined) return
      const advice =
        lack.kind === 'neighbours'
          ? ': let UDP 51880 in on each machine, this one too'
          : '; it goes on by itself (maki status)'
      faults.push(`${lack.text}${advice}`)
      step.warn(`${lack.text}${advice}`)
    })
    if (profile.machines.length > 1) faults.push(...(await lookFromOthers(context, { name }, profile, key)))
  } catch (thrown) {
    if (host.signal.aborted) throw thrown
    faults.push(`the node was started, and does not answer here: ${asMakiError(thrown).message}`)
  }
  return faults
}

async function lookFromOthers(
  { steps, host, openClient }: InitContext,
  { name }: Pick<InitRequest, 'name'>,
  profile: ProfileContent,
  key: MemberKey,
): Promise<readonly string[]> {
  return await steps.run('Ask the other machines', async (step) => {
    await using client = await openClient(profile, { offline: false })
    const untilMs = host.runtime.monotonic() + VERDICT_MS
    let opinions = await askOthers(client, key, name)
    let { faults, line } = summarizeOpinions(opinions)
    while (faults.length > 0 && host.runtime.monotonic() < untilMs) {
      step.progress(`${line}; looking again`)
      await pause(host.runtime, AGAIN_MS, client.signal)
      opinions = await askOthers(client, key, name)
      ;({ faults, line } = summarizeOpinions(opinions))
    }
    if (faults.length > 0 || opinions.some(({ kind }) => kind !== 'knows')) step.warn(line)
    else step.say(line)
    return faults
  })
}

/** Asks as visitors do; what does not answer joins the faults. */
export async function verify(
  { steps, host, verify: ask = verifyNode }: InitContext,
  addresses: ChosenAddresses,
  faults: string[],
): Promise<readonly Answer[]> {
  return await steps.run('Ask as visitors do', async (step) => {
    const { version } = readPackageInfo()
    const asked = () => ask(addresses, { version, runtime: host.runtime, signal: host.signal })
    let answers = await asked()
    // One that did not answer in time may only have been looked for on its link.
    for (let again = 0; again < MORE_LOOKS && answers.some(({ outcome }) => outcome === 'down'); again++) {
      await pause(host.runtime, AGAIN_MS, host.signal)
      answers = await asked()
    }
    const down = answers.filter(({ outcome }) => outcome === 'down')
    for (const { address, port } of down)
      faults.push(`${port} is not reachable from here at ${address}: open it in your provider's firewall`)
    const up = answers.filter(({ outcome }) => outcome === 'up')
    const unknown = new Set(answers.filter(({ outcome }) => outcome === 'unknown').map(({ address }) => address))
    const skipped = unknown.size === 0 ? '' : `; ${[...unknown].join(', ')} could not be asked from here`
    if (down.length > 0)
      step.warn(`no answer: ${down.map(({ address, port }) => `${port} at ${address}`).join(', ')}${skipped}`)
    else step.say(`${[...new Set(up.map(({ port }) => port))].join(', ')}${skipped}`)
    return answers
  })
}
