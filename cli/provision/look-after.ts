import { asMakiError, type MemberKey } from '../../core/index.ts'
import type { ProfileContent } from '../config/index.ts'
import { readPackageInfo } from '../program/package-info.ts'
import { awaitNode } from './await-node.ts'
import type { InitContext, InitRequest } from './init-context.ts'
import type { ChosenAddresses } from './survey/addresses.ts'
import { type Answer, listSeenFaults, verifyNode } from './verify-node.ts'

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
  { steps, openClient, host }: InitContext,
  { name }: Pick<InitRequest, 'name'>,
  profile: ProfileContent,
  key: MemberKey,
): Promise<readonly string[]> {
  return await steps.run('Ask the other machines', async (step) => {
    const others = { ...profile, machines: profile.machines.filter((machine) => machine.name !== name) }
    await using client = await openClient(others, { offline: false })
    const reached = await client.reach()
    if (reached === undefined) {
      step.warn('none answers')
      return []
    }
    const status = await reached.control.status({ signal: host.signal })
    const seen = listSeenFaults(status, key).map((fault) => `${reached.machine.name} sees no ${fault}`)
    if (seen.length > 0) step.warn(seen.join('; '))
    else step.say(`${reached.machine.name} knows it`)
    return seen
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
    const answers = await ask(addresses, { version, runtime: host.runtime, signal: host.signal })
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
