import { asMakiError, MakiError, type MemberKey, type NodeName } from '../../core/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import { listSeenFaults } from './verify-node.ts'

/** What one of the other machines says of a node. */
export type Opinion = { readonly machine: NodeName } & (
  | { readonly kind: 'knows'; readonly faults: readonly string[] }
  /** It has not been told of it yet. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'missed'; readonly why: string }
)

/** A machine that is up answers in a moment, and nobody waits for one that is not. */
const ANSWER_MS = 5_000
/** Each takes a connection. */
const AT_ONCE = 16

/** Asks every machine of the profile but one what it sees of the node `key`. Rejects only where it is interrupted. */
export async function askOthers(
  client: Pick<ClusterClient, 'profile' | 'connect' | 'signal'>,
  key: MemberKey,
  except: NodeName,
): Promise<readonly Opinion[]> {
  const machines = client.profile.machines.filter(({ name }) => name !== except)
  const opinions: Opinion[] = []
  const queue = [...machines.entries()]
  const ask = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [at, machine] = next
      try {
        using control = await client.connect(machine, client.signal)
        const status = await control.status({ signal: client.signal, answerMs: ANSWER_MS })
        if (status.cluster.id !== client.profile.cluster)
          throw new MakiError('MAKI_CONFLICT', `it belongs to another cluster (${status.cluster.id})`)
        opinions[at] = status.nodes.some((node) => node.key === key)
          ? { machine: machine.name, kind: 'knows', faults: listSeenFaults(status, key) }
          : { machine: machine.name, kind: 'unknown' }
      } catch (thrown) {
        client.signal.throwIfAborted()
        opinions[at] = { machine: machine.name, kind: 'missed', why: asMakiError(thrown).message }
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, machines.length) }, ask))
  return opinions
}

/** What others see that is not as it should be, and the line that is told of all; pure. */
export function summarizeOpinions(opinions: readonly Opinion[]): { faults: readonly string[]; line: string } {
  const named = (kind: Opinion['kind']): string[] =>
    opinions.filter((one) => one.kind === kind).map(({ machine }) => machine)
  const faults = opinions.flatMap((one) =>
    one.kind === 'knows' ? one.faults.map((fault) => `${one.machine} sees no ${fault}`) : [],
  )
  const [knowing, unknowing, missed] = [named('knows'), named('unknown'), named('missed')]
  const parts = [
    ...(knowing.length === 0 ? [] : [`${knowing.join(', ')} ${knowing.length === 1 ? 'knows' : 'know'} it`]),
    ...(unknowing.length === 0 ? [] : [`${unknowing.join(', ')} not yet`]),
    ...(missed.length === 0 ? [] : [`${missed.join(', ')} did not answer`]),
    ...faults,
  ]
  return { faults, line: parts.join('; ') }
}
