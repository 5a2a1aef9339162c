import * as v from 'valibot'
import {
  blobHash,
  certificateName,
  challengeFields,
  count,
  directoryUrl,
  functionFields,
  hostname,
  memberKey,
  meshEndpoint,
  meshPeerAddress,
  nodeFields,
  nodeMesh,
  nodeName,
  operationId,
  ownerName,
  recordType,
  sealBox,
  sealEpochKey,
  sealedValue,
  text,
  timeMs,
  transformFields,
  ttl,
  via,
  wireGuardKey,
} from './change-fields.ts'

/**
 * The newest schema of changes that this code knows. A change that is added or gets a new field raises it, with an
 * upcaster in `migrations/`. Schema 2: seals, certificates, functions and transforms of a release, holds and purges, a
 * node's announced schema. Schema 3: RRsets that hold the addresses of the nodes.
 * Schema 4: how a node takes part in the mesh, external peers.
 * Schema 5: orders of certificates, challenges, revocations, what an authority calls itself in CAA records.
 */
export const SCHEMA = 5

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
  v.strictObject({
    kind: v.literal('node.join'),
    key: memberKey,
    name: nodeName,
    ...nodeFields,
    /** The newest schema that its program reads; 1 where it is absent. Since schema 2. */
    schema: v.optional(v.pipe(count, v.minValue(1))),
    /** Absent for one that is reached without WireGuard. Since schema 4. */
    mesh: v.optional(nodeMesh),
  }),
  v.strictObject({
    kind: v.literal('node.update'),
    key: memberKey,
    set: v.partial(v.strictObject({ ...nodeFields, schema: v.pipe(count, v.minValue(1)), mesh: nodeMesh })),
  }),
  v.strictObject({ kind: v.literal('node.remove'), key: memberKey, how: removal }),
  /** A machine outside of the cluster that the nodes reach through the mesh; it reaches nothing of theirs. Since schema 4. */
  v.strictObject({
    kind: v.literal('peer.set'),
    name: nodeName,
    publicKey: wireGuardKey,
    /** Where it is reached; null for one that always begins itself. */
    endpoint: v.nullable(meshEndpoint),
    /** In the /64 of external peers. */
    address: meshPeerAddress,
  }),
  v.strictObject({ kind: v.literal('peer.remove'), name: nodeName }),
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
    values: v.pipe(v.array(text(200_000)), v.maxLength(1000)),
    /**
     * The set (type A or AAAA) holds the address of the node that is best for who asks, and has no values of its own.
     * Since schema 3.
     */
    geo: v.optional(v.literal(true)),
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
    rollbackOf: v.optional(operationId),
    /** Components that answer requests, by path in the site's folder; they are not published as files. Since schema 2. */
    functions: v.optional(v.pipe(v.array(v.strictObject(functionFields)), v.maxLength(1000))),
    /** Components that filter files, in the order in which they are applied. Since schema 2. */
    transforms: v.optional(v.pipe(v.array(v.strictObject(transformFields)), v.maxLength(100))),
    ...via,
  }),
  /** While it holds, `sync` publishes no release of the domain: what was rolled back stays so. */
  v.strictObject({ kind: v.literal('release.hold'), domain: hostname, hold: v.boolean() }),
  /** Of the releases that this operation has seen only `keep` may ever be served again; the blobs of the others go. */
  v.strictObject({ kind: v.literal('release.purge'), domain: hostname, keep: operationId }),
  /** Names the public half of a key pair that values are sealed to. */
  v.strictObject({ kind: v.literal('seal.epoch'), epoch: sealEpochKey }),
  /** Gives a node the private half of an epoch, sealed to the node's own key. */
  v.strictObject({ kind: v.literal('seal.grant'), epoch: sealEpochKey, node: memberKey, box: sealBox }),
  v.strictObject({
    kind: v.literal('certificate.set'),
    /** What it is known by: one of its names. A later certificate of this name takes its place. */
    name: certificateName,
    /** Every DNS name that it is valid for; sorted. */
    names: v.pipe(v.array(certificateName), v.minLength(1), v.maxLength(1000)),
    /** PEM (RFC 7468), the end entity's certificate first. */
    chain: text(200_000),
    /** The private key in PKCS #8 PEM. */
    key: sealedValue,
    notBeforeMs: timeMs,
    notAfterMs: timeMs,
    /** The directory of the authority that a node ordered it from; absent for one that was imported. Since schema 5. */
    directory: v.optional(directoryUrl),
  }),
  v.strictObject({ kind: v.literal('certificate.remove'), name: certificateName }),
  /** The cluster's account at a certificate authority (RFC 8555). */
  v.strictObject({
    kind: v.literal('certificate.account'),
    /** The authority's directory URL. */
    directory: directoryUrl,
    /** Account URL and key. */
    account: sealedValue,
    /** What the authority calls itself in CAA records (RFC 8659): zones say that it may issue. Since schema 5. */
    authorities: v.optional(v.pipe(v.array(hostname), v.maxLength(20))),
  }),
  /**
   * How its author gets on with a certificate: what status shows, and what keeps everybody from ordering too often, also after a
   * crash. One for each author.
   */
  v.strictObject({
    kind: v.literal('certificate.order'),
    /** The certificate's. */
    name: certificateName,
    names: v.pipe(v.array(certificateName), v.minLength(1), v.maxLength(1000)),
    directory: directoryUrl,
    /** `open`: begun and not ended; `waiting`: it cannot be ordered as things are; `failed`; `done`. */
    phase: v.picklist(['open', 'waiting', 'failed', 'done']),
    /** When its author began orders for this certificate, in order; those of the past week at least. */
    startedMs: v.pipe(v.array(timeMs), v.maxLength(200)),
    /** In a row. */
    failures: count,
    /** Nobody orders it before. */
    retryMs: v.optional(timeMs),
    problem: v.optional(
      v.strictObject({
        /** An error type of RFC 8555 section 6.7 without its prefix (`rateLimited`), or a code of ours. */
        type: text(100),
        detail: text(1000),
        /** The name that it is about. */
        name: v.optional(certificateName),
      }),
    ),
    /** Its author's orders of the past week that ended with a certificate; `set` stands for the names. */
    issued: v.optional(
      v.pipe(v.array(v.strictObject({ startedMs: timeMs, directory: directoryUrl, set: text(64) })), v.maxLength(200)),
    ),
    /** Authorities that have not certified these names since they last failed, how often in a row, and when it is tried again. */
    troubles: v.optional(
      v.pipe(
        v.array(v.strictObject({ directory: directoryUrl, failures: count, retryMs: timeMs, type: text(100) })),
        v.maxLength(20),
      ),
    ),
    /** Names that no authority took: the others are not kept waiting for them. */
    refused: v.optional(
      v.pipe(
        v.array(v.strictObject({ name: certificateName, failures: count, retryMs: timeMs, detail: text(1000) })),
        v.maxLength(100),
      ),
    ),
  }),
  /** A certificate that nobody should trust any more. */
  v.strictObject({
    kind: v.literal('certificate.revoke'),
    /** SHA-256 of the end entity's certificate in DER, lower-case base32. */
    id: operationId,
    /** What it was known by; its key is sealed for that. */
    name: certificateName,
    /** PEM; the end entity's alone. */
    certificate: text(20_000),
    key: sealedValue,
    directory: directoryUrl,
    /** RFC 5280 section 5.3.1. */
    reason: v.pipe(count, v.maxValue(10)),
    /** `given-up`: the authority does not take it. */
    phase: v.picklist(['due', 'done', 'given-up']),
    detail: v.optional(text(1000)),
  }),
  /** What its author shows an authority for a host, until it is removed, or the time is over. */
  v.strictObject({
    kind: v.literal('challenge.set'),
    /** The host, without `*.` and without `_acme-challenge`. */
    host: hostname,
    ...challengeFields,
    untilMs: timeMs,
  }),
  /** Any node may end the challenges of another. */
  v.strictObject({ kind: v.literal('challenge.remove'), host: hostname, author: memberKey }),
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

/** The schema of each kind: the variant would try one after another. */
const schemaByKind = new Map<unknown, (typeof changeSchema.options)[number]>(
  changeSchema.options.map((option) => [option.entries.kind.literal, option]),
)

/** Parses what an operation carries; returns the fault in words instead of a change where there is one. */
export function readChange(input: unknown): { change: Change } | { fault: string } {
  const kind = typeof input === 'object' && input !== null && 'kind' in input ? input.kind : undefined
  const result = v.safeParse(schemaByKind.get(kind) ?? changeSchema, input)
  if (result.success) {
    const fault = findMemberFault(result.output)
    return fault === undefined ? { change: result.output } : { fault }
  }
  const issue = result.issues[0]
  const path = v.getDotPath(issue)
  return { fault: path === null ? issue.message : `${path}: ${issue.message}` }
}

/** What one member demands of another. */
function findMemberFault(change: Change): string | undefined {
  if (change.kind !== 'record.set') return undefined
  const empty = change.values.length === 0
  if (change.geo === true && !empty) return 'values: a geographic RRset has no values of its own'
  return empty && change.geo !== true ? 'values: at least one is expected' : undefined
}
