import * as v from 'valibot'
import { isId, type MemberKey } from '../../core/index.ts'
import { isSilent, type MeshStatus } from '../../replication/index.ts'

/** They travel to every node. */
const MOST_SILENT = 16
const MOST_TROUBLES = 4
const MOST_LETTERS = 200
/** Longer than that is long. */
const MOST_MINUTES = 24 * 60

const amount = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

/** What a node says of its mesh. */
export const saidMeshSchema = v.object({
  /** Null while it has no tunnel. */
  kind: v.nullable(v.picklist(['kernel', 'userspace'])),
  /** Nodes that answer it. */
  seen: amount,
  /** Nodes that do not, and for how long; the first few. */
  silent: v.pipe(
    v.array(
      v.object({
        node: v.custom<MemberKey>((input) => typeof input === 'string' && isId(input)),
        minutes: amount,
      }),
    ),
    v.maxLength(MOST_SILENT),
  ),
  troubles: v.pipe(v.array(v.pipe(v.string(), v.maxLength(MOST_LETTERS))), v.maxLength(MOST_TROUBLES)),
})

/** What a node says of its mesh. */
export type SaidMesh = v.InferOutput<typeof saidMeshSchema>

/** What of a mesh others should hear: in minutes, so that it is not another all the time. Pure. */
export function describeMesh({ kind, peers, troubles }: MeshStatus): SaidMesh {
  const nodes = peers.filter((peer) => peer.kind === 'node')
  return {
    kind: kind ?? null,
    seen: nodes.filter(({ silentMs, handshakeAgeMs }) => silentMs === undefined && handshakeAgeMs !== undefined).length,
    silent: nodes
      .filter(isSilent)
      .flatMap(({ member, handshakeAgeMs, silentMs = 0 }) => {
        const minutes = Math.min(MOST_MINUTES, Math.floor((handshakeAgeMs ?? silentMs) / 60_000))
        return member === undefined ? [] : { node: member, minutes }
      })
      .slice(0, MOST_SILENT),
    troubles: troubles.slice(0, MOST_TROUBLES).map((trouble) => trouble.slice(0, MOST_LETTERS)),
  }
}
