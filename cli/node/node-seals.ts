import * as v from 'valibot'
import {
  isId,
  type Log,
  listNodes,
  MakiError,
  type MemberKey,
  type Runtime,
  type SealEpochKey,
  type Signer,
} from '../../core/index.ts'
import { type ControlSeals, isSignedSameRequest, type SameRequest } from '../../edge/index.ts'
import {
  type CertificateRing,
  type GossipService,
  type Replica,
  SealKeeper,
  type SealPeers,
  type SharedTicketKeys,
  TicketKeys,
} from '../../replication/index.ts'
import type { Edge } from './edge-messages.ts'
import { mayCompare, SameGuard } from './same-guard.ts'

export interface NodeSealsOptions {
  readonly replica: Replica
  readonly gossip: GossipService
  readonly signer: Signer
  /** Of the signer's key. */
  readonly seed: Uint8Array
  readonly runtime: Runtime
  readonly log: Log
  readonly certificates: CertificateRing
  readonly edge: Pick<Edge, 'setTicketKeys'>
  /** Called when `lacks` or the shared ticket keys changed: others should be told. */
  readonly changed: () => void
}

/** For so long after a start a node that was not heard yet counts as up: neighbours are only being found. */
const STARTING_MS = 5_000

const lackingSchema = v.object({
  lacks: v.array(v.custom<SealEpochKey>((input) => typeof input === 'string' && isId(input))),
})

const ticketsSchema = v.object({
  tickets: v.object({
    window: v.pipe(v.number(), v.safeInteger()),
    epoch: v.custom<SealEpochKey>((input) => typeof input === 'string' && isId(input)),
    box: v.pipe(v.string(), v.maxLength(1000), v.regex(/^[A-Za-z0-9_-]+$/)),
  }),
})

/** The seals of a node: the keeper with what it hears by gossip, the certificates that it opened, and the way to ask it. */
export class NodeSeals implements ControlSeals, AsyncDisposable {
  readonly keeper: SealKeeper
  /** What sessions are resumed with, here and at the other nodes. */
  readonly tickets: TicketKeys
  /** What TLS serves. */
  readonly certificates: CertificateRing
  readonly #replica: Replica
  readonly #guard: SameGuard
  readonly #unsubscribe: (() => void)[]

  constructor(options: NodeSealsOptions) {
    const { replica, runtime } = options
    this.#replica = replica
    this.#guard = new SameGuard(runtime)
    const peers = createPeers(options)
    this.keeper = new SealKeeper({ ...options, peers })
    this.tickets = new TicketKeys({
      ...options,
      self: options.signer.key,
      opener: this.keeper,
      peers: { said: () => saidTickets(options), up: peers.up, onChange: peers.onChange },
      use: (keys) => options.edge.setTicketKeys(keys),
    })
    this.certificates = options.certificates
    this.#unsubscribe = [
      this.keeper.events.on('opened', () => options.changed()),
      this.tickets.events.on('change', () => options.changed()),
    ]
  }

  async epoch(): Promise<SealEpochKey> {
    return this.keeper.ensureEpoch()
  }

  async same(request: SameRequest): Promise<readonly boolean[]> {
    const { items, author } = request
    if (!isSignedSameRequest(this.#replica.cluster, request))
      throw new MakiError('MAKI_OPERATION_REFUSED', 'the comparison of secrets is not signed by the key that it names')
    const member = this.#guard.checkAsker(this.#replica.members, author)
    this.#guard.take(items.length)
    const same = this.keeper.same(items, (place) => {
      if (!mayCompare(member, place)) return false
      this.#guard.guess(place)
      return true
    })
    for (const [i, { sealed }] of items.entries()) if (same[i] === true) this.#guard.wasRight(sealed)
    return same.map((one) => one === true)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.tickets[Symbol.dispose]()
    await this.keeper[Symbol.asyncDispose]()
  }
}

function createPeers({ replica, gossip, signer, runtime }: NodeSealsOptions): SealPeers {
  const startedMs = runtime.monotonic()
  return {
    up() {
      const up = new Set<MemberKey>([signer.key])
      for (const entry of gossip.awareness.entries()) if (entry.up) up.add(entry.key)
      if (runtime.monotonic() - startedMs < STARTING_MS) for (const { key } of listNodes(replica.state)) up.add(key)
      return up
    },
    lacking() {
      const lacking = new Map<MemberKey, ReadonlySet<SealEpochKey>>()
      for (const { key, data } of gossip.awareness.entries()) {
        const said = v.safeParse(lackingSchema, data)
        if (said.success && key !== signer.key) lacking.set(key, new Set(said.output.lacks))
      }
      return lacking
    },
    onChange: (listener) => gossip.events.on('awareness', listener),
  }
}

function saidTickets({ gossip, signer }: NodeSealsOptions): ReadonlyMap<MemberKey, SharedTicketKeys> {
  const tickets = new Map<MemberKey, SharedTicketKeys>()
  for (const { key, up, data } of gossip.awareness.entries()) {
    if (!up || key === signer.key) continue
    const said = v.safeParse(ticketsSchema, data)
    if (said.success) tickets.set(key, said.output.tickets)
  }
  return tickets
}
