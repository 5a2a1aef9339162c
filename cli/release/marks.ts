import { type Hostname, keys, type OperationId } from '../../core/index.ts'
import type { NodeStatus, UnservableRelease } from '../../edge/index.ts'
import { isPurged, listPurges, type ReleaseHistory } from '../../replication/local/index.ts'
import type { PublishedRelease } from './published.ts'

/** What is to be said of a release besides what it is. */
export interface ReleaseMarks {
  /** Nodes that serve it now, alone or merged with others. Empty when no node was asked. */
  readonly live: readonly string[]
  /** It stands beside a release that was published without knowing of it. */
  readonly side: boolean
  /** Its owner took it back for good. */
  readonly purged: boolean
  /** Nodes that should serve it and cannot: no node has all of it. */
  readonly unservable: readonly string[]
}

/** The marks of all releases of a domain; `nodes` as the node that was asked knows them, none where none was. */
export async function readMarks(
  history: ReleaseHistory,
  domain: Hostname,
  releases: readonly PublishedRelease[],
  nodes: readonly NodeStatus[],
): Promise<ReadonlyMap<OperationId, ReleaseMarks>> {
  const purges = await listPurges(history, domain)
  const sides = history.frontier(keys.release(domain)).map(({ operation }) => operation)
  return new Map(
    releases.map(({ operation: { id } }) => [
      id,
      {
        live: nodes.filter(({ active, merged }) => active[domain] === id || merged[domain]?.includes(id)).map(nameOf),
        side: sides.length > 1 && sides.includes(id),
        purged: isPurged(history, id, purges),
        unservable: nodes.filter(({ unservable }) => unservable.some(isOf(domain, id))).map(nameOf),
      },
    ]),
  )
}

const nameOf = ({ name }: NodeStatus): string => name
const isOf =
  (domain: Hostname, id: OperationId) =>
  ({ domain: theirs, release }: UnservableRelease): boolean =>
    theirs === domain && release === id
