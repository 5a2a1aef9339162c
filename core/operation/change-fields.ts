import { isIPv6 } from 'node:net'
import * as v from 'valibot'
import { type BlobHash, type Brand, isBlobHash, isId, type MemberKey, type OperationId } from '../ids.ts'
import { isWireGuardKey, type WireGuardKey } from '../mesh/index.ts'
import { type Hostname, type NodeName, type OwnerName, parseHostname, parseNodeName, parseOwnerName } from '../names.ts'

/** Schemas of what stands in changes. Operations hold every value in its one canonical form. */

/** An X25519 public key (RFC 7748): 52 characters of lower-case base32. Names a seal epoch. */
export type SealEpochKey = Brand<string, 'SealEpochKey'>
/** A host name, or `*.` and a host name (RFC 9525 section 6.3). */
export type CertificateName = Brand<string, 'CertificateName'>

/** A string that survives a parser unchanged. */
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

const id = <T extends string>(what: string) =>
  v.custom<T>((input) => typeof input === 'string' && isId(input), `${what} is expected`)

export const text = (max: number) => v.pipe(v.string(), v.maxLength(max))
export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
/** Milliseconds since the Unix epoch. */
export const timeMs = v.pipe(v.number(), v.safeInteger())
export const memberKey = id<MemberKey>('a public key')
export const operationId = id<OperationId>('an operation id')
export const sealEpochKey = id<SealEpochKey>('the public key of a seal epoch')
export const blobHash = v.custom<BlobHash>(
  (input) => typeof input === 'string' && isBlobHash(input),
  'a SHA-256 is expected',
)
export const hostname = canonical<Hostname>(parseHostname, 'a host name')
export const nodeName = canonical<NodeName>(parseNodeName, 'a node name')
export const certificateName = canonical<CertificateName>(parseCertificateName, 'a host name, or *. and one,')
/** Checked against the longest apex that could follow it, so that the check needs no context. */
export const ownerName = canonical<OwnerName>((name) => parseOwnerName(name, 'a.invalid' as Hostname), 'an owner name')
export const recordType = v.pipe(
  v.string(),
  v.regex(/^([A-Z][A-Z0-9]{0,15}|TYPE[0-9]{1,5})$/, 'a record type is expected'),
)
/** Seconds; RFC 2181 section 8 bounds a TTL to 31 bits. */
export const ttl = v.pipe(count, v.maxValue(0x7fff_ffff))
/** Which project's `sync` wrote the change; absent for a change made by hand. */
export const via = { via: v.optional(v.pipe(text(100), v.minLength(1))) }

const latitude = v.pipe(v.number(), v.finite(), v.minValue(-90), v.maxValue(90))
const longitude = v.pipe(v.number(), v.finite(), v.minValue(-180), v.maxValue(180))

/** Without a zone (`fe80::1%eth0`): that is a name for an interface of one machine, and no address for others. */
const publicIpv6 = v.pipe(
  v.string(),
  v.check((text) => isIPv6(text) && !text.includes('%'), 'an IPv6 address is expected'),
)

export const nodeFields = {
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

/** The address of an external peer of the mesh. */
export const meshPeerAddress = publicIpv6

export const wireGuardKey = v.custom<WireGuardKey>(
  (input) => typeof input === 'string' && isWireGuardKey(input),
  'a public key of WireGuard is expected',
)

/** Where others send their datagrams: `host:port`, IPv6 in brackets; a name is resolved by whoever sends. */
export const meshEndpoint = v.pipe(
  text(300),
  v.regex(/^(\[[0-9a-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?):[1-9][0-9]{0,4}$/, 'host:port is expected'),
  v.check((endpoint) => Number(endpoint.slice(endpoint.lastIndexOf(':') + 1)) <= 65_535, 'a port is at most 65535'),
)

/** How a node takes part in the mesh. */
export const nodeMesh = v.strictObject({
  publicKey: wireGuardKey,
  /** UDP port of its public addresses. */
  port: v.pipe(count, v.minValue(1), v.maxValue(65_535)),
  /** Where it is reached instead of at its public addresses; null for one that nobody can reach first (behind NAT). */
  endpoint: v.optional(v.nullable(meshEndpoint)),
})

const BASE64URL = /^[A-Za-z0-9_-]+$/

/** A token of RFC 8555 section 8.1, and what a node answers to it: base64url, and two parts of it joined by a dot. */
const challengeToken = v.pipe(text(200), v.regex(/^[A-Za-z0-9_-]{1,200}$/, 'a token is expected'))
const keyAuthorization = v.pipe(
  text(400),
  v.regex(/^[A-Za-z0-9_-]{1,200}\.[A-Za-z0-9_-]{1,199}$/, 'a key authorization is expected'),
)
/** What answers an authority that looks whether a name is ours (RFC 8555 sections 8.3 and 8.4). */
export const challengeFields = {
  /** By token, for HTTP-01. */
  http: v.pipe(v.array(v.strictObject({ token: challengeToken, authorization: keyAuthorization })), v.maxLength(20)),
  /** TXT values of `_acme-challenge` below the name, for DNS-01; the name and its wildcard need one each. */
  dns: v.pipe(v.array(v.pipe(text(100), v.regex(/^[A-Za-z0-9_-]{43}$/, 'a digest is expected'))), v.maxLength(20)),
}
/** A certificate authority's ACME directory. */
export const directoryUrl = text(2000)

/** What came out of sealing: base64url (RFC 4648 section 5) without padding. */
export const sealBox = v.pipe(text(100_000), v.regex(BASE64URL, 'base64url is expected'))
/** A value that only nodes can read: the epoch that it is sealed to, and the box. */
export const sealedValue = v.strictObject({ epoch: sealEpochKey, box: sealBox })

const component = {
  /** Relative to the site's folder. */
  path: v.pipe(text(4096), v.minLength(1)),
  component: blobHash,
  /** Environment variables by name. */
  env: v.optional(v.record(v.pipe(text(200), v.regex(/^[A-Za-z_][A-Za-z0-9_]*$/)), sealedValue)),
  timeoutMs: v.optional(v.pipe(count, v.minValue(1))),
  maxMemoryMb: v.optional(v.pipe(count, v.minValue(1))),
}

export const functionFields = {
  ...component,
  /** Upper case; all where it is absent. */
  methods: v.optional(v.pipe(v.array(v.pipe(text(20), v.regex(/^[A-Z]+$/))), v.minLength(1))),
}

export const transformFields = {
  ...component,
  /** A glob on the resolved file. */
  files: v.pipe(text(1000), v.minLength(1)),
  maxFileSizeKb: v.optional(v.pipe(count, v.minValue(1))),
}

/** Accepts upper case and a final dot. Throws MAKI_INVALID for what is neither a host name nor `*.` and one. */
export function parseCertificateName(name: string): CertificateName {
  if (!name.startsWith('*.')) return parseHostname(name) as string as CertificateName
  return `*.${parseHostname(name.slice(2))}` as CertificateName
}
