import { type Cancel, Emitter, type MemberKey } from '../../core/index.ts'
import { chunkBySize } from './anti-entropy.ts'
import { Awareness, type AwarenessView, CLONE_GRACE_MS, isSendersFault } from './awareness.ts'
import type { AwarenessData } from './awareness-entry.ts'
import { Dialer, parseDialTarget } from './dialer.ts'
import { GossipLink } from './gossip-link.ts'
import { type GossipCounters, isGossipFrame } from './gossip-messages.ts'
import type { GossipEvents, GossipOptions, GossipPeer, GossipService } from './gossip-options.ts'
import { GossipRunner } from './gossip-runner.ts'
import { chooseLink, type LinkClaim } from './link-choice.ts'
import type { Connection, Listener, Network, NetworkAddress } from './network.ts'
import { describePeering, type Peering } from './peering.ts'
import { Session, type SessionPeer } from './session.ts'
import { tcpNetwork } from './tcp-network.ts'
import { encodeFrame, type Frame, type FrameOf, NONCE_BYTES } from './wire.ts'

/** Strangers that may be in the middle of a handshake; more are turned away unheard. */
const MAX_HANDSHAKES = 64
/** In the overlay a node has eight links on average; four times that is far off the tail, and bounds memory. */
const MAX_LINKS = 32
/** How long an admitted stranger may stay without being a member by the fold: its operations wait for their heads. */
const ADMISSION_GRACE_MS = 60_000
const TICK_MS = 1000
/** Entries of others that are relayed falsely may be a race with a change of keys; four are not. */
const MAX_BAD_ENTRIES = 4
const AWARENESS_FRAME_BYTES = 1024 * 1024

/**
 * Listens, dials and gossips until disposed. Rejects with MAKI_PORT_IN_USE or MAKI_CONFIG, nothing left open. Peers can
 * make it drop their link and nothing else.
 */
export async function startGossip(options: GossipOptions): Promise<GossipService> {
  for (const address of options.bootstrap) parseDialTarget(address)
  const gossip = new NetworkGossip(options)
  try {
    await gossip.begin()
    return gossip
  } catch (error) {
    await gossip[Symbol.asyncDispose]()
    throw error
  }
}

class NetworkGossip implements GossipService {
  readonly events = new Emitter<GossipEvents>()
  readonly #options: GossipOptions
  readonly #network: Network
  readonly #links = new Map<number, GossipLink>()
  readonly #peerings = new Map<MemberKey, Peering>()
  readonly #awareness: Awareness
  readonly #runner: GossipRunner
  readonly #dialer: Dialer
  readonly #dropped: Record<string, number> = {}
  #listener: Listener | undefined
  #nextLink = 1
  #cancelTick: Cancel = () => {}
  #stopping: Promise<void> | undefined

  constructor(options: GossipOptions) {
    this.#options = options
    this.#network = options.network ?? tcpNetwork
    this.#awareness = new Awareness(options)
    this.#awareness.events.on('change', (change) => this.events.emit('awareness', change))
    this.#awareness.events.on('cloned', (cloned) => {
      options.log.error('member.cloned', { ...cloned })
      this.events.emit('cloned', cloned)
    })
    this.#runner = new GossipRunner({
      replica: options.replica,
      runtime: options.runtime,
      log: options.log,
      findLink: (id) => this.#links.get(id),
      merged: () => this.#checkMembers(),
      agreed: (link) => link.peer !== undefined && this.events.emit('agreed', { key: link.peer.key }),
    })
    this.#dialer = new Dialer({
      runtime: options.runtime,
      dial: (address) => this.#dial(address),
      isLinked: (key) => this.#peerings.has(key),
    })
  }

  /** Listens first: who cannot be reached does not begin. */
  async begin(): Promise<void> {
    const { listen, log, bootstrap } = this.#options
    this.#listener = await this.#network.listen(
      listen,
      (connection) => this.#accept(connection),
      (error) => log.error('gossip.listener-failed', { message: error.message }),
    )
    this.#dialer.setAddresses(bootstrap)
    this.#scheduleTick()
  }

  get address(): NetworkAddress {
    return this.#listener?.address ?? this.#options.listen
  }

  readonly awareness = {
    set: (data: AwarenessData): void => this.#spread([this.#awareness.set(data, this.#options.runtime.now())]),
    entries: (): readonly AwarenessView[] => this.#awareness.entries(this.#options.runtime.now()),
    clones: (): readonly MemberKey[] => this.#awareness.clones(this.#options.runtime.now()),
  }

  get counters(): GossipCounters & { dropped: Readonly<Record<string, number>> } {
    return { ...this.#runner.counters, dropped: { ...this.#dropped } }
  }

  peers(): readonly GossipPeer[] {
    return [...this.#peerings.values()].map(describePeering)
  }

  setAddresses(addresses: readonly string[]): void {
    this.#dialer.setAddresses(addresses)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping ??= this.#stop()
    await this.#stopping
  }

  async #stop(): Promise<void> {
    this.#cancelTick()
    this.#dialer.close()
    const closed = this.#listener?.close()
    const leave = this.#awareness.withdraw(this.#options.runtime.now())
    if (leave !== undefined) this.#spread([leave])
    for (const link of [...this.#links.values()]) {
      if (link.peer === undefined) link.destroy()
      else link.close('stopping', 'this node stops')
    }
    await this.#runner.close()
    await closed
  }

  #scheduleTick(): void {
    const { runtime } = this.#options
    this.#cancelTick = runtime.after(TICK_MS * (0.75 + runtime.random() / 2), () => {
      this.#runner.feed({ kind: 'tick' })
      this.#awareness.expire(runtime.now())
      const heartbeat = this.#awareness.heartbeat(runtime.now())
      if (heartbeat !== undefined) this.#spread([heartbeat])
      this.#checkMembers()
      if (this.#stopping === undefined) this.#scheduleTick()
    })
  }

  #accept(connection: Connection): void {
    let handshakes = 0
    for (const link of this.#links.values()) if (link.peer === undefined) handshakes++
    if (handshakes < MAX_HANDSHAKES && this.#stopping === undefined) {
      this.#open(connection, undefined)
      return
    }
    this.#count('too-many-handshakes')
    connection.destroy()
  }

  #dial(address: string): void {
    this.#open(this.#network.connect(parseDialTarget(address)), address)
  }

  #open(connection: Connection, dialled: string | undefined): void {
    const { runtime } = this.#options
    const session = new Session({
      ...this.#options,
      isMember: (key) => this.#options.isMember(key),
      admits: (key, operations) => this.#options.admits(key, operations),
      role: dialled === undefined ? 'responder' : 'initiator',
      nonce: runtime.randomBytes(NONCE_BYTES),
    })
    const link = new GossipLink({
      id: this.#nextLink++,
      connection,
      dialled,
      session,
      runtime,
      authenticated: (link, peer) => this.#adopt(link, peer),
      received: (link, frame) => this.#receive(link, frame),
      closed: (link, reason, detail) => this.#closed(link, reason, detail),
    })
    this.#links.set(link.id, link)
  }

  #adopt(link: GossipLink, peer: SessionPeer): void {
    const { signer, runtime, log } = this.#options
    if (!this.#mayBeThere(link, peer.key)) {
      link.close('wrong-address', `${peer.key} has proved itself, but ${link.remote.host} is not where it is`)
      return
    }
    const initiator = link.dialled === undefined ? peer.key : signer.key
    const claim: LinkClaim = { incarnation: peer.incarnation, initiator }
    const known = this.#peerings.get(peer.key)
    if (known !== undefined && chooseLink(known.claim, claim) === 'keep-known') {
      // Whoever took this link's place would otherwise keep the other machine from being heard at all.
      const isTwin = claim.incarnation < known.claim.incarnation && runtime.monotonic() > known.sinceMs + CLONE_GRACE_MS
      if (isTwin) this.#awareness.noteEarlier(peer.key, known.claim.incarnation, claim.incarnation, runtime.now())
      link.close('duplicate', 'another link with this peer stays')
      return
    }
    if (known === undefined && this.#peerings.size >= MAX_LINKS) {
      link.close('busy', `${MAX_LINKS} links are open`)
      return
    }
    const graceUntilMs = peer.admission.length === 0 ? undefined : runtime.monotonic() + ADMISSION_GRACE_MS
    const peering: Peering = { link, peer, claim, sinceMs: runtime.monotonic(), graceUntilMs, badEntries: 0 }
    this.#peerings.set(peer.key, peering)
    known?.link.close('duplicate', 'a better link with this peer is up')
    if (link.dialled !== undefined) this.#dialer.linked(link.dialled, peer.key)
    log.info('peer.linked', { key: peer.key, host: link.remote.host, version: peer.version })
    this.#runner.feed({ kind: 'link-up', link: link.id, peer: peer.key })
    if (peer.admission.length > 0) this.#runner.mergeOperations(link, peer.admission)
    this.#sendEntries(this.#awareness.snapshot(), [link])
    if (known === undefined) this.events.emit('peer-up', describePeering(peering))
  }

  #closed(link: GossipLink, reason: string, detail: string): void {
    const { log } = this.#options
    this.#links.delete(link.id)
    this.#count(reason)
    this.#runner.feed({ kind: 'link-down', link: link.id })
    const key = link.peer?.key ?? link.claimed
    const remote = `${link.remote.host}:${link.remote.port}`
    const peering = link.peer === undefined ? undefined : this.#peerings.get(link.peer.key)
    const last = peering?.link === link
    if (last) this.#peerings.delete(peering.peer.key)
    const level = QUIET_REASONS.has(reason) ? 'debug' : last || link.dialled !== undefined ? 'info' : 'warn'
    log[level]('link.closed', { reason, detail, remote, key })
    this.events.emit('dropped', { reason, detail, host: link.remote.host, key })
    if (last) this.events.emit('peer-down', { key: peering.peer.key, reason })
    const why = reason === 'self' || reason === 'duplicate' ? reason : detail === 'duplicate' ? 'duplicate' : 'failed'
    if (link.dialled !== undefined) this.#dialer.lost(link.dialled, why, link.peer?.key)
    else this.#dialer.fill()
  }

  #receive(link: GossipLink, frame: Frame): void {
    if (isGossipFrame(frame)) this.#runner.feed({ kind: 'frame', link: link.id, frame })
    else if (frame.type === 'awareness') this.#hear(link, frame)
    else link.close('protocol', `a ${frame.type} frame came after the handshake`)
  }

  #hear(link: GossipLink, frame: FrameOf<'awareness'>): void {
    this.#runner.feed({ kind: 'heard', link: link.id })
    const fresh: Uint8Array[] = []
    for (const bytes of frame.entries) {
      const outcome = this.#awareness.receive(bytes, this.#options.runtime.now())
      if (outcome.kind === 'new') fresh.push(bytes)
      if (outcome.kind !== 'refused') continue
      this.#count(`awareness-${outcome.reason}`)
      const peering = this.#peerings.get(link.peer?.key as MemberKey)
      if (isSendersFault(outcome.reason) && peering !== undefined && ++peering.badEntries >= MAX_BAD_ENTRIES) {
        link.close('bad-awareness', `it sent entries that are ${outcome.reason}`)
        return
      }
    }
    this.#spread(fresh, link)
  }

  #spread(entries: readonly Uint8Array[], except?: GossipLink): void {
    const links = [...this.#peerings.values()].map(({ link }) => link).filter((link) => link !== except)
    this.#sendEntries(entries, links)
  }

  #sendEntries(entries: readonly Uint8Array[], links: readonly GossipLink[]): void {
    for (const chunk of chunkBySize(entries, 1000, AWARENESS_FRAME_BYTES)) {
      const framed = encodeFrame({ type: 'awareness', entries: chunk })
      for (const link of links) link.send(framed)
    }
  }

  /** Who is no member any more loses its link; who was admitted has a while to become one. */
  #checkMembers(): void {
    const nowMs = this.#options.runtime.monotonic()
    for (const peering of [...this.#peerings.values()]) {
      if (!this.#mayBeThere(peering.link, peering.peer.key))
        peering.link.close('wrong-address', `${peering.link.remote.host} is not where ${peering.peer.key} is any more`)
      else if (this.#options.isMember(peering.peer.key)) peering.graceUntilMs = undefined
      else if (peering.graceUntilMs === undefined || nowMs >= peering.graceUntilMs)
        peering.link.close('not-a-member', 'it is not a member of this cluster')
    }
  }

  #mayBeThere(link: GossipLink, key: MemberKey): boolean {
    return this.#options.mayBeAt?.(key, link.remote.host) ?? true
  }

  #count(reason: string): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1
  }
}

/** Ends that are part of a healthy cluster's day. */
const QUIET_REASONS = new Set(['duplicate', 'stopping', 'self'])
