import { listDomains, type MemberKey, type Runtime } from '../../core/index.ts'
import type { ClusterStatus, NodeStatus } from '../../edge/index.ts'
import type { ClusterClient } from '../client/cluster-client.ts'
import { pause } from '../client/local-replica.ts'

/** What a new node still lacks, for people; undefined: nothing. */
export interface Lack {
  readonly kind: 'operations' | 'releases' | 'neighbours'
  readonly text: string
}

const POLL_MS = 250
/** How long a node may hear none of the others before that is said. */
const DEAF_MS = 30_000
/** And how long it may fetch; it goes on by itself after that. */
const PATIENCE_MS = 300_000

/** Looks until the node has the operations that are known here, and what is served elsewhere. Resolves with what it lacks when it is not waited for any longer. */
export async function awaitNode(
  client: ClusterClient,
  key: MemberKey,
  runtime: Pick<Runtime, 'monotonic' | 'after'>,
  onProgress: (text: string) => void,
): Promise<Lack | undefined> {
  const begunMs = runtime.monotonic()
  for (;;) {
    await client.exchange()
    const { control } = await client.requireReach()
    const status = await control.status({ signal: client.signal })
    const lack = findLack(status, key, new Set(client.local.replica.heads().map(({ id }) => id)), client)
    if (lack === undefined) return undefined
    const waitedMs = runtime.monotonic() - begunMs
    if (waitedMs > (lack.kind === 'neighbours' ? DEAF_MS : PATIENCE_MS)) return lack
    onProgress(lack.text)
    await pause(runtime, POLL_MS, client.signal)
  }
}

/** What a node lacks, by its own word. Pure. */
export function findLack(
  status: Pick<ClusterStatus, 'nodes' | 'pending'>,
  key: MemberKey,
  heads: ReadonlySet<string>,
  { state }: Pick<ClusterClient, 'state'>,
): Lack | undefined {
  const self = status.nodes.find((node) => node.key === key)
  if (self === undefined) return { kind: 'operations', text: 'it does not know itself yet' }
  const others = status.nodes.filter((node) => node.key !== key)
  const heard = others.filter((node) => node.up)
  if (others.length > 0 && heard.length === 0)
    return { kind: 'neighbours', text: 'it hears none of the other nodes yet' }
  const lacks = [...heads].filter((id) => !self.heads.some((head) => head === id)).length
  if (lacks > 0) return { kind: 'operations', text: `it lacks ${lacks} of the last operations` }
  const missing = listDomains(state).filter(
    ({ apex }) => isServedElsewhere(heard, apex) && self.active[apex] === undefined,
  )
  if (missing.length === 0) return undefined
  return { kind: 'releases', text: `it fetches the files of ${missing.map(({ apex }) => apex).join(', ')}` }
}

const isServedElsewhere = (others: readonly NodeStatus[], apex: string): boolean =>
  others.some(({ active }) => Object.hasOwn(active, apex))
