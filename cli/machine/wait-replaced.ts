import type { ClusterClient } from '../client/cluster-client.ts'
import { count } from '../output/text.ts'
import type { StepList } from '../provision/index.ts'
import { listRest, type ReplacementRest, tellRest } from './replacement-rest.ts'
import { waitSpan } from './wait-span.ts'

const LOOK_MS = 2_000

/**
 * Waits until the nodes have replaced all that they replace by themselves, and those that are up serve it. Resolves with what is
 * left when the time is over; undefined where no node gets certificates, so that nothing is replaced by itself. The nodes go on
 * whether somebody waits or not; other commands can be typed meanwhile.
 */
export async function waitReplaced(
  client: ClusterClient,
  steps: StepList,
  timeoutMs: number,
): Promise<ReplacementRest | undefined> {
  const { runtime, signal } = client
  const first = await look(client)
  if (first === undefined) return undefined
  return await steps.run('Replace what it may know', async (step) => {
    const endMs = runtime.monotonic() + timeoutMs
    let rest = first
    for (;;) {
      const left = tellRest(rest)
      if (left.length === 0) {
        step.say('all of it is new, and live at every node that is up')
        return rest
      }
      step.progress(`${count(left.length, 'thing')} left: ${left[0]}`)
      const restMs = endMs - runtime.monotonic()
      if (restMs <= 0) {
        step.warn(`${count(left.length, 'thing')} left`)
        return rest
      }
      await client.lend(() => waitSpan(Math.min(LOOK_MS, restMs), { runtime, signal }))
      // A node that is restarted, or that says nothing for once, ends no waiting.
      rest = (await look(client)) ?? rest
    }
  })
}

async function look(client: ClusterClient): Promise<ReplacementRest | undefined> {
  await client.exchange().catch((error: unknown) => {
    client.signal.throwIfAborted()
    return error
  })
  const reached = await client.reach()
  const status = await reached?.control.status({ signal: client.signal }).catch(() => undefined)
  client.signal.throwIfAborted()
  if (status?.certificates === undefined) return undefined
  const rest = listRest(client.local.replica, status)
  // Nodes begin keys to seal to when somebody wants one; tickets come of them.
  if (rest.tickets) await reached?.control.sealEpoch(client.signal).catch(() => undefined)
  client.signal.throwIfAborted()
  return rest
}
