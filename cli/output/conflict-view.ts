import {
  type Conflict,
  findKeyParts,
  type Key,
  type MemberKey,
  type OperationId,
  type Side,
  shortId,
} from '../../core/index.ts'
import { isPurged, listPurges, type ReleaseHistory, type Replica } from '../../replication/local/index.ts'
import { readMemberNames } from '../member/member-names.ts'
import { type ChosenSide, describeWayOut } from '../operations/plan-resolution.ts'
import { readWritten } from '../operations/written.ts'
import { canonicalValue } from './canonical-value.ts'
import type { Style } from './style.ts'
import { plainLine } from './text.ts'
import { formatDifference, formatValue } from './value-words.ts'
import { formatAgo } from './when.ts'

/** One side of a conflict as it is printed. */
export interface SideView {
  readonly operation: OperationId
  readonly author: { readonly key: MemberKey; readonly name: string | null }
  readonly at: string
  readonly via: string | null
  readonly message: string
  /** Null where this side removed the key. */
  readonly value: unknown
  readonly removed: boolean
}

/** A conflict as it is printed. */
export interface ConflictView {
  readonly key: Key
  /** What stands. */
  readonly winner: SideView
  readonly losers: readonly SideView[]
  /** Commands that settle it, or what to do instead. */
  readonly resolve: readonly string[]
}

/** By key. */
export async function viewConflicts(
  replica: SideSource & Pick<Replica, 'fold'>,
  conflicts: readonly Conflict[],
): Promise<readonly ConflictView[]> {
  const names = await readMemberNames(replica)
  const views: ConflictView[] = []
  for (const { key, winner, losers } of conflicts) {
    const sides = await chooseSides(replica, key, [winner, ...losers])
    const shown = await Promise.all(
      sides.map(
        async (side): Promise<SideView> => ({
          operation: side.operation,
          author: { key: side.author, name: names.get(side.author) ?? null },
          at: new Date(side.stamp.wallMs).toISOString(),
          via: side.via ?? null,
          message: (await replica.read(side.operation))?.message ?? '',
          value: canonicalValue(side.value),
          removed: side.value === undefined,
        }),
      ),
    )
    const resolve = describeWayOut(replica.fold.state, key, sides)
    views.push({ key, winner: shown[0] as SideView, losers: shown.slice(1), resolve })
  }
  return views
}

type SideSource = ReleaseHistory & Pick<Replica, 'read'>

/** The sides with the projects that wrote them. */
export async function chooseSides(
  replica: SideSource,
  key: Key,
  sides: readonly Side[],
): Promise<readonly ChosenSide[]> {
  const parts = findKeyParts(key)
  const purges = parts?.kind === 'release' ? await listPurges(replica, parts.domain) : []
  return Promise.all(
    sides.map(async (side) => {
      const written = await readWritten(replica, [[key, side.operation]])
      return { ...side, via: written.get(key)?.via, purged: isPurged(replica, side.operation, purges) }
    }),
  )
}

export function formatConflict({ key, winner, losers, resolve }: ConflictView, nowMs: number, style: Style): string {
  const line = (side: SideView, mark: string, value: string): string => {
    const via = side.via === null ? '' : `, sync of ${plainLine(side.via)}`
    const who = `${plainLine(side.author.name ?? shortId(side.author.key))}${via}`
    const why = side.message === '' ? '' : `: ${plainLine(side.message.split('\n')[0] ?? '')}`
    return `  ${mark} ${style.name(shortId(side.operation))}  ${value}  (${formatAgo(Date.parse(side.at), nowMs)} by ${who}${why})`
  }
  const readSide = ({ removed, value }: SideView): unknown => (removed ? undefined : value)
  const won = readSide(winner)
  return [
    style.bold(plainLine(key)),
    line(winner, style.good('stands'), formatValue(key, won)),
    ...losers.map((side) => line(side, style.warn('beside'), formatDifference(key, won, readSide(side)))),
    ...resolve.map((command) => `  ${command}`),
  ].join('\n')
}
