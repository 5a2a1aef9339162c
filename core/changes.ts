import { isIPv6 } from 'node:net'
import * as v from 'valibot'
import { type BlobHash, isBlobHash, isId, type MemberKey } from './ids.ts'
import type { Hostname, NodeName, OwnerName } from './names.ts'
import { parseHostname, parseNodeName, parseOwnerName } from './names.ts'

/**
 * The newest schema of changes that this code knows. A change that is added or gets a new field raises it, with an
 * upcaster in `migrations/`.
 */
export const SCHEMA = 1

/** A string that survives a parser unchanged: operations hold names in their canonical form only. */
function canonical<T extends string>(parse: (text: string) => T, what: string) {
  return v.custom<T>((input) => {
    if (typeof input !== 'string') return false
    try {
      return parse(input) === input
    } catch {
      return false
    }
  }, `${what} is expected`)
}

const text = (max: number) => v.pipe(v.string(), v.maxLength(max))
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const memberKey = v.custom<MemberKey>((input) => typeof input === 'string' && isId(input), 'a public key is expected')
const blobHash = v.custom<BlobHash>((input) => typeof input === 'string' && isBlobHash(input), 'a SHA-256 is expected')
const hostname = canonical<Hostname>(parseHostname, 'a host name')
const nodeName = canonical<NodeName>(parseNodeName, 'a node name')
/** Checked against the longest apex that could follow it, so that the check needs no context. */
const ownerName = canonical<OwnerName>((name) => parseOwnerName(name, 'a.invalid' as Hostname), 'an owner name')
const recordType = v.pipe(v.string(), v.regex(/^([A-Z][A-Z0-9]{0,15}|TYPE[0-9]{1,5})$/, 'a record type is expected'))
/** Seconds; RFC 2181 section 8 bounds a TTL to 31 bits. */
const ttl = v.pipe(count, v.maxValue(0x7fff_ffff))
/** Which project's `sync` wrote the change; absent for a change made by hand. */
const via = { via: v.optional(v.pipe(text(100), v.minLength(1))) }

const latitude = v.pipe(v.number(), v.finite(), v.minValue(-90), v.maxValue(90))
const longitude = v.pipe(v.number(), v.finite(), v.minValue(-180), v.maxValue(180))

/** Without a zone (`fe80::1%eth0`): that is a name for an interface of one machine, and no address for others. */
const publicIpv6 = v.pipe(
  v.string(),
  v.check((text) => isIPv6(text) && !text.includes('%'), 'an IPv6 address is expected'),
)

const nodeFields = {
  /** Public addresses that visitors and resolvers reach. */
  addresses: v.strictObject({
    ipv4: v.nullable(v.pipe(v.string(), v.ipv4())),
    ipv6: v.nullable(publicIpv6),
  }),
  /** Degrees; null when nobody knows. */
  place: v.nullable(v.strictObject({ latitude, longitude })),
  nameserver: v.boolean(),
  /** A drained node keeps its data and gets no visitors. */
  drained: v.boolean(),
}
export const NODE_FIELDS = Object.keys(nodeFields) as (keyof typeof nodeFields)[]

/** How far a removal reaches: `retire` lets what the removed wrote concurrently count, `revoke` cuts it (key stolen). */
const removal = v.picklist(['retire', 'revoke'])

const changeSchema = v.variant('kind', [
  v.strictObject({
    kind: v.literal('cluster.create'),
    name: text(100),
    /** Rank 0; kept offline by the owner. */
    recovery: memberKey,
    operator: v.strictObject({ key: memberKey, name: text(100) }),
  }),
  v.strictObject({
    kind: v.literal('operator.add'),
    key: memberKey,
    name: text(100),
    role: v.picklist(['operator', 'deployer']),
    /** The domains of a deployer; not used for operators. */
    domains: v.optional(v.array(hostname)),
  }),
  v.strictObject({ kind: v.literal('operator.remove'), key: memberKey, how: removal }),
  v.strictObject({ kind: v.literal('node.join'), key: memberKey, name: nodeName, ...nodeFields }),
  v.strictObject({ kind: v.literal('node.update'), key: memberKey, set: v.partial(v.strictObject(nodeFields)) }),
  v.strictObject({ kind: v.literal('node.remove'), key: memberKey, how: removal }),
  v.strictObject({
    kind: v.literal('domain.set'),
    domain: hostname,
    spa: v.boolean(),
    onConcurrent: v.picklist(['latest', 'merge']),
    previews: v.boolean(),
    /** Where every request goes instead of a site. */
    redirect: v.optional(text(2000)),
    ...via,
  }),
  v.strictObject({ kind: v.literal('domain.remove'), domain: hostname, ...via }),
  v.strictObject({ kind: v.literal('alias.set'), domain: hostname, host: hostname, ...via }),
  v.strictObject({ kind: v.literal('alias.remove'), domain: hostname, host: hostname, ...via }),
  v.strictObject({
    kind: v.literal('record.set'),
    domain: hostname,
    name: ownerName,
    type: recordType,
    ttl,
    /** RDATA in presentation format (RFC 1035 section 5.1), names absolute with the final dot, sorted, no duplicates. */
    values: v.pipe(v.array(text(200_000)), v.minLength(1), v.maxLength(1000)),
    ...via,
  }),
  v.strictObject({ kind: v.literal('record.remove'), domain: hostname, name: ownerName, type: recordType, ...via }),
  v.strictObject({
    kind: v.literal('release.publish'),
    domain: hostname,
    /** The blob that holds the manifest. */
    manifest: blobHash,
    /** SHA-256 of the manifest before compression: equal trees are equal sites, whoever compressed them. */
    tree: blobHash,
    files: count,
    /** Sum of the files' sizes. */
    bytes: count,
    /** Hosts that were live with this release, so that a rollback restores them; sorted. */
    aliases: v.array(hostname),
    /** The git commit that the files were built from. */
    commit: v.optional(text(64)),
    /** The release that this one restores. */
    rollbackOf: v.optional(v.custom<string>((input) => typeof input === 'string' && isId(input))),
    ...via,
  }),
])

/** Objects and lists inside a change are never written to: an operation is immutable for ever. */
type Frozen<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Frozen<Item>[]
    : { readonly [Member in keyof T]: Frozen<T[Member]> }

/** One typed intent inside an operation. */
export type Change = Frozen<v.InferOutput<typeof changeSchema>>
export type ChangeKind = Change['kind']
export type ChangeOf<Kind extends ChangeKind> = Extract<Change, { kind: Kind }>
export const CHANGE_KINDS = changeSchema.options.map((option) => option.entries.kind.literal) as ChangeKind[]

/** Parses what an operation carries; returns the fault in words instead of a change where there is one. */
export function readChange(input: unknown): { change: Change } | { fault: string } {
  const result = v.safeParse(changeSchema, input)
  if (result.success) return { change: result.output }
  const issue = result.issues[0]
  const path = v.getDotPath(issue)
  return { fault: path === null ? issue.message : `${path}: ${issue.message}` }
}
