import * as v from 'valibot'
import { list, map, maybe, named, number, object, one, orNull, said, text, texts, whole, yes } from './kit.ts'

/** What several commands print. */

const time = v.pipe(text, v.isoTimestamp())
export const at = named('Time', time)
export const op = named('OperationId', v.pipe(text, v.regex(/^[a-z2-7]{52}$/)))
export const key = named('PublicKey', v.pipe(text, v.regex(/^[a-z2-7]{52}$/)))
export const hash = named('Hash', v.pipe(text, v.regex(/^[0-9a-f]{64}$/)))
/** Where an operation is durable. */
export const node = orNull(text)
export const who = object({ key, name: orNull(text) })
export const place = orNull(object({ latitude: number, longitude: number }))

export const change = named('Change', v.looseObject({ kind: text }))
const operationMembers = {
  id: op,
  at: said(at, 'by the author’s clock'),
  author: who,
  via: said(orNull(text), 'the project whose sync wrote it'),
  message: text,
  changes: list(change),
  words: said(texts, 'the changes in words'),
  standing: one('counted', 'void', 'held', 'pending', 'newer-schema', 'absent'),
  reason: said(orNull(text), 'why it does not count, or not yet'),
  waiting: said(yes, 'no node is known to have it yet'),
}
export const operation = named('Operation', object(operationMembers))
/** An operation with what a command says of it besides. */
export const operationWith = <T extends v.ObjectEntries>(more: T) => object({ ...operationMembers, ...more })

export const missed = named('Missed', object({ machine: text, why: text }))
export const brought = {
  missed: said(maybe(list(missed)), 'machines that did not take it from here; absent where nothing was written'),
}
export const delivery = named('Delivery', object({ operation: op, node, ...brought }))

const deed = object({ operation: op, by: object({ key, name: text }), at })
export const role = one('recovery', 'operator', 'deployer', 'node')
export const member = named(
  'Member',
  object({
    key,
    name: text,
    role,
    domains: said(orNull(texts), 'of a deployer'),
    rank: said(orNull(whole), '1 is the most senior; null for who was removed'),
    added: deed,
    removed: orNull(object({ ...deed.entries, how: one('retire', 'revoke') })),
  }),
)

export const side = named(
  'Side',
  object({
    operation: op,
    author: who,
    at,
    via: orNull(text),
    message: text,
    value: v.unknown(),
    removed: yes,
  }),
)

export const sealed = named(
  'Secret',
  v.variant('kind', [
    object({ kind: v.literal('certificate'), name: text }),
    object({ kind: v.literal('account'), directory: text }),
    object({ kind: v.literal('revocation'), name: text, id: op }),
    object({ kind: v.literal('env'), domain: text, component: text, name: text }),
  ]),
)

export const alias = named(
  'AliasTarget',
  object({
    target: text,
    ipv4: texts,
    ipv6: texts,
    since: said(orNull(at), 'when that was resolved'),
    failing: orNull(object({ since: at, reason: text })),
    refused: said(texts, 'addresses that are not public, and so are not answered'),
  }),
)

export const verdict = named(
  'Verdict',
  object({
    family: one('ipv4', 'ipv6'),
    service: text,
    address: text,
    standing: one('up', 'held', 'down'),
    since: at,
    reason: maybe(text),
    votes: object({ up: whole, down: whole }),
    basis: text,
  }),
)

export const nodeStatus = named(
  'NodeStatus',
  object({
    key,
    name: text,
    up: yes,
    digest: said(orNull(text), 'equal digests are equal nodes; null when it was not heard'),
    heads: list(op),
    lagMs: said(orNull(number), 'age of the last word from it; 0 for the node that answers'),
    version: orNull(text),
    active: said(map(op), 'the release that each domain serves there'),
    merged: map(list(op)),
    unservable: list(object({ domain: text, release: op, missing: whole, reason: maybe(text) })),
    damagedBlobs: whole,
    host: said(v.nullish(object({ memory: number, disk: number, load: number })), 'fractions that are used'),
    trouble: v.nullish(
      object({ refused: number, workersDied: number, certificates: number, components: maybe(texts) }),
    ),
    mesh: v.nullish(
      object({
        kind: orNull(one('kernel', 'userspace')),
        seen: whole,
        silent: list(object({ name: text, minutes: number, up: yes })),
        troubles: texts,
      }),
    ),
    health: maybe(list(verdict)),
    behind: maybe(yes),
    cloned: said(maybe(yes), 'two machines speak with its key'),
    serves: maybe(object({ dns: maybe(whole), http: maybe(whole), https: maybe(whole) })),
  }),
)

export const tunnels = named(
  'Mesh',
  object({
    interface: text,
    address: text,
    publicKey: text,
    port: whole,
    kind: orNull(one('kernel', 'userspace')),
    mtu: orNull(whole),
    peers: list(
      object({
        name: text,
        kind: one('node', 'peer'),
        address: text,
        endpoint: orNull(text),
        handshakeAgeMs: orNull(number),
        silentMs: orNull(number),
        receivedBytes: number,
        sentBytes: number,
      }),
    ),
  }),
)

const certificateMembers = {
  issuer: orNull(text),
  notBefore: at,
  notAfter: at,
  daysLeft: said(whole, 'negative when it has expired'),
  sealed: said(one('ok', 'exposed'), 'exposed: somebody who was removed may know the private key'),
  directory: said(orNull(text), 'of the authority; null for one that was imported'),
  operation: op,
  author: key,
  at,
}
export const certificate = named('Certificate', object({ name: text, names: texts, ...certificateMembers }))
export const listedMembers = {
  name: text,
  names: texts,
  issuer: orNull(text),
  notBefore: said(orNull(at), 'as the members below, null where there is no certificate'),
  notAfter: orNull(at),
  daysLeft: orNull(whole),
  sealed: orNull(one('ok', 'exposed')),
  operation: orNull(op),
  author: orNull(key),
  at: orNull(at),
  directory: orNull(text),
  lifeLeft: said(orNull(number), 'of its life, 0 to 1'),
  isLate: yes,
  orders: list(
    object({
      node: text,
      phase: text,
      directory: text,
      at,
      problem: orNull(object({ type: text, detail: text })),
      retry: orNull(at),
    }),
  ),
  week: object({ started: whole, issued: whole }),
  waiting: list(object({ code: text, reason: text, next: orNull(at) })),
  revocations: object({ due: whole, givenUp: texts }),
}
export const listedCertificate = named('ListedCertificate', object(listedMembers))

export const glue = named(
  'GlueChange',
  object({ domain: text, host: text, kind: one('add', 'change', 'remove'), before: texts, after: texts }),
)
export const mesh = object({ address: text, publicKey: text, port: whole, endpoint: orNull(text) })

export const peerMembers = {
  name: text,
  publicKey: text,
  endpoint: orNull(text),
  address: text,
}

export const errorShape = named(
  'Error',
  object({
    code: said(v.pipe(text, v.regex(/^MAKI_[A-Z_]+$/)), 'stable'),
    message: text,
    hint: said(maybe(text), 'what to type or do next'),
    stack: said(maybe(text), 'with --debug'),
  }),
)
export const warningShape = named('Warning', object({ warning: text }))
