import * as v from 'valibot'
import type { ClusterStatus } from '../../edge/index.ts'

const text = v.string()
const texts = v.array(text)
const number = v.number()
/** What newer nodes say besides stays. */
const object = v.looseObject

const verdict = object({
  family: text,
  service: text,
  address: text,
  standing: text,
  since: text,
  reason: v.optional(text),
  votes: object({ up: number, down: number }),
  basis: text,
})

const node = object({
  key: text,
  name: text,
  up: v.boolean(),
  digest: v.nullable(text),
  heads: texts,
  lagMs: v.nullable(number),
  version: v.nullable(text),
  active: v.record(text, text),
  merged: v.record(text, texts),
  unservable: v.array(object({ domain: text, release: text, missing: number, reason: v.optional(text) })),
  damagedBlobs: number,
  host: v.nullish(object({ memory: number, disk: number, load: number })),
  health: v.optional(v.array(verdict)),
  behind: v.optional(v.boolean()),
  cloned: v.optional(v.boolean()),
  serves: v.optional(object({ dns: v.optional(number), http: v.optional(number), https: v.optional(number) })),
})

const tunnels = object({
  interface: text,
  address: text,
  publicKey: text,
  port: number,
  kind: v.nullable(v.picklist(['kernel', 'userspace'])),
  mtu: v.nullable(number),
  peers: v.array(
    object({
      name: text,
      kind: v.picklist(['node', 'peer']),
      address: text,
      endpoint: v.nullable(text),
      handshakeAgeMs: v.nullable(number),
      silentMs: v.nullable(number),
      receivedBytes: number,
      sentBytes: number,
    }),
  ),
})

const alias = object({
  target: text,
  ipv4: texts,
  ipv6: texts,
  since: v.nullable(text),
  failing: v.nullable(object({ since: text, reason: text })),
  refused: texts,
})

const status = object({
  cluster: object({ id: text, name: text }),
  self: text,
  nodes: v.array(node),
  pending: texts,
  held: texts,
  due: v.optional(v.record(text, text)),
  void: v.array(object({ operation: text, reason: text })),
  unknown: texts,
  conflicts: v.array(object({ key: text, winner: text, losers: texts })),
  exposed: v.array(object({ kind: text })),
  damaged: v.optional(object({ readable: number, lost: number })),
  aliases: v.optional(v.array(alias)),
  mesh: v.optional(tunnels),
  certificates: v.optional(
    object({
      uncovered: v.array(object({ name: text, code: text, reason: text })),
      waiting: v.array(object({ name: text, code: text, reason: text, next: v.nullable(text) })),
    }),
  ),
  places: v.optional(object({ type: v.optional(text), built: v.optional(text), faults: v.optional(texts) })),
})

/**
 * Whether what a node answered has the shape of a status: all that commands read has its type, so that a node that lies or
 * is of another version ends no command. Texts may still be of any kind: `plainLine` is for them.
 */
export const isClusterStatus = (answer: unknown): answer is ClusterStatus => v.is(status, answer)
