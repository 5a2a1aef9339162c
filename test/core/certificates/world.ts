import {
  beginOrder,
  type CertificateDuty,
  type CertificateName,
  type CertificatePlan,
  type CertificateView,
  type Change,
  compareStamps,
  compileEffects,
  type Entry,
  encodeBase32,
  failCutOff,
  failOrder,
  findNode,
  finishOrder,
  type HeldCertificate,
  type HostFacts,
  judgeRenewal,
  type MemberKey,
  nextStamp,
  type OperationId,
  type OrderProblem,
  planCertificates,
  RANK_PATIENCE_MS,
  type SealEpochKey,
  type Stamp,
  StateTable,
  type WantedCertificate,
} from '../../../core/index.ts'
import { createRandom, type Random } from '../../support/seeds.ts'
import { cert, DAY, HOUR, host, MAIN, MINUTE, NOW, nodeKey, OTHER } from './fixture.ts'

/** A cluster that orders certificates in virtual time: nodes with replicas and clocks of their own, links, authorities. */

const SECOND = 1000
/** How far ahead a stamp may be; what is further waits. */
const AHEAD_MS = 5 * MINUTE
/** Quiet hours in which everything that can be had has to be had: the longest back-off, and an order. */
export const GOOD_MS = 14 * HOUR
/** How long a resolver fails, when it does. */
const SPELL_MS = 6 * HOUR
/** What changes at once is looked at together. */
const GATHER_MS = 2 * SECOND
const OLD_EPOCH = nodeKey(50) as string as SealEpochKey
const NEW_EPOCH = nodeKey(51) as string as SealEpochKey

interface Written {
  readonly entry: Entry | null
  readonly stamp: Stamp
  readonly id: string
}

/** One of the cluster's nodes. */
interface SimNode {
  readonly key: MemberKey
  readonly written: Map<string, Written>
  readonly state: StateTable
  /** Of all that was written. */
  lastStamp: Stamp
  /** Grows with the state. */
  version: number
  held: { readonly version: number; readonly map: ReadonlyMap<CertificateName, HeldCertificate> }
  alive: boolean
  /** Its clock is wrong by so much, milliseconds. */
  offsetMs: number
  readonly running: Map<CertificateName, number>
  readonly seen: Map<string, number>
  /** When it heard of a name that is asked for. */
  readonly heard: Map<string, number>
  /** A wake that is set already. */
  wakeMs: number
  life: number
  goodSinceMs: number
  readonly stretches: [number, number][]
}

type AuthorityMood = 'fine' | 'down' | 'nonsense' | 'limiting' | 'slow'

interface SimAuthority {
  readonly directory: string
  mood: AuthorityMood
  readonly starts: { atMs: number; name: CertificateName }[]
  readonly issued: { atMs: number; name: CertificateName; set: string; by: MemberKey }[]
  readonly revoked: Set<string>
}

export interface WorldOptions {
  readonly seed: number
  readonly lifeMs: number
  /** Nothing goes wrong. */
  readonly calm?: boolean
}

export interface WorldReport {
  readonly faults: readonly string[]
  readonly issued: number
  readonly starts: number
  readonly failures: number
  readonly plans: number
  readonly events: number
  readonly horizonMs: number
}

export class World {
  readonly #random: Random
  readonly #options: WorldOptions
  readonly #queue: { atMs: number; order: number; act: () => void }[] = []
  readonly #nodes: SimNode[]
  readonly #authorities: ReadonlyMap<string, SimAuthority>
  readonly #faults: string[] = []
  readonly #aliases = new Set<string>()
  /** A host that the authorities cannot see though everybody thinks that it is ours, until then. */
  #badUntilMs = 0
  #groups: ReadonlyMap<MemberKey, number>
  /** When nodes could not know of each other: cut off, or with a clock that is days away. */
  readonly #partitions: [number, number][] = []
  #nowMs = NOW
  #order = 0
  #counter = 0
  #failures = 0
  #plans = 0
  #events = 0
  #compromisedMs: number | undefined
  /** A node that reaches no authority, though the others do. */
  #deaf: SimNode | undefined
  /** Twice as long where it may be the turn of that node first. */
  #goodMs = GOOD_MS
  #healed = false
  #rested = false
  #restless: readonly string[] = ['the end never came']
  readonly #forgetful: boolean
  readonly #wish: 'none' | 'fair' | 'hostile'

  constructor(options: WorldOptions) {
    this.#options = options
    this.#random = createRandom(options.seed * 7919 + Math.floor(options.lifeMs / HOUR))
    const size = 2 + this.#random.integer(4)
    this.#nodes = Array.from({ length: size }, (_, i) => ({
      key: nodeKey(i + 1),
      written: new Map(),
      state: new StateTable(),
      lastStamp: { wallMs: 0, counter: 0 },
      version: 0,
      held: { version: -1, map: new Map() },
      alive: true,
      offsetMs: options.calm ? 0 : this.#random.integer(4 * MINUTE) - 2 * MINUTE,
      running: new Map(),
      seen: new Map(),
      heard: new Map(),
      wakeMs: Number.POSITIVE_INFINITY,
      life: 0,
      goodSinceMs: NOW,
      stretches: [],
    }))
    this.#groups = new Map(this.#nodes.map(({ key }) => [key, 0]))
    this.#authorities = new Map(
      [MAIN, OTHER].map((directory) => [
        directory,
        { directory, mood: 'fine', starts: [], issued: [], revoked: new Set() },
      ]),
    )
    this.#forgetful = this.#random.chance(0.5)
    this.#wish = options.calm ? 'none' : this.#random.pick(['none', 'fair', 'hostile'] as const)
  }

  run(): WorldReport {
    const { lifeMs, calm } = this.#options
    const horizonMs = Math.max(20 * DAY, Math.floor(lifeMs * 1.4))
    const endMs = NOW + horizonMs
    this.#begin()
    if (calm !== true) this.#planTroubles(endMs - 3 * DAY)
    for (let atMs = NOW + HOUR; atMs < endMs; atMs += 2 * HOUR) this.#at(atMs, () => this.#check())
    // What was found out of hosts changes then.
    for (let atMs = NOW + SPELL_MS; atMs < endMs; atMs += SPELL_MS)
      this.#at(atMs, () => {
        for (const node of this.#nodes) this.#wake(node, this.#random.integer(MINUTE))
      })
    this.#at(endMs - 2 * DAY, () => this.#heal())
    // At rest means now and then: renewals go on.
    for (let atMs = endMs - 2 * DAY + GOOD_MS; atMs < endMs; atMs += 17 * MINUTE)
      this.#at(atMs, () => this.#checkRest())
    while (this.#queue.length > 0) {
      const next = this.#pop()
      if (next === undefined || next.atMs > endMs) break
      this.#nowMs = next.atMs
      next.act()
      if (++this.#events > 400_000) {
        this.#fault('a loop of events')
        break
      }
    }
    this.#nowMs = endMs
    for (const fault of this.#restless) this.#fault(fault)
    for (const authority of this.#authorities.values()) this.#checkBudget(authority)
    const all = [...this.#authorities.values()]
    return {
      faults: this.#faults,
      issued: all.reduce((sum, { issued }) => sum + issued.length, 0),
      starts: all.reduce((sum, { starts }) => sum + starts.length, 0),
      failures: this.#failures,
      plans: this.#plans,
      events: this.#events,
      horizonMs,
    }
  }

  /** Certificates of one authority by name. */
  countIssued(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const { issued } of this.#authorities.values())
      for (const { name } of issued) counts.set(name, (counts.get(name) ?? 0) + 1)
    return counts
  }

  #begin(): void {
    const first = this.#nodes[0] as SimNode
    const changes: Change[] = this.#nodes.map(({ key }, i) => ({
      kind: 'node.join',
      key,
      name: `n${i + 1}` as never,
      addresses: { ipv4: `192.0.2.${i + 1}`, ipv6: null },
      place: null,
      nameserver: true,
      drained: false,
    }))
    for (const domain of ['shop.com', 'blog.org'])
      changes.push({ kind: 'domain.set', domain: host(domain), spa: false, onConcurrent: 'latest', previews: true })
    changes.push({ kind: 'alias.set', domain: host('blog.org'), host: host('www.blog.org') })
    changes.push({ kind: 'alias.set', domain: host('blog.org'), host: host('bad.blog.org') })
    changes.push({ kind: 'alias.set', domain: host('shop.com'), host: host('alone.net') })
    const written = this.#compile(first, changes)
    for (const node of this.#nodes) {
      this.#merge(node, written)
      this.#wake(node, 0)
    }
    for (const name of ['shop.com', 'blog.org', 'www.blog.org', 'alone.net']) this.#aliases.add(name)
    for (const name of ['*.shop.com', '*.ns.shop.com']) this.#aliases.add(name)
  }

  // Troubles

  #planTroubles(untilMs: number): void {
    const random = this.#random
    const spanMs = untilMs - NOW
    const time = () => NOW + random.integer(spanMs)
    this.#badUntilMs = random.chance(0.5) ? time() : 0
    const outageMs = () => Math.floor(HOUR * 2 ** (random.next() * 7))
    for (let i = random.integer(4); i > 0; i--) {
      const mood = random.pick(['down', 'nonsense', 'limiting', 'slow'] as const)
      const authority = this.#authorities.get(random.pick([MAIN, MAIN, OTHER])) as SimAuthority
      const atMs = random.chance(0.2) ? NOW : time()
      this.#at(atMs, () => {
        if (!this.#healed) authority.mood = mood
      })
      this.#at(atMs + outageMs(), () => {
        authority.mood = 'fine'
      })
    }
    for (let i = random.integer(4); i > 0; i--) {
      const atMs = random.chance(0.3) ? NOW + random.integer(5 * MINUTE) : time()
      this.#at(atMs, () => this.#split())
      this.#at(Math.min(atMs + outageMs(), untilMs), () => this.#join())
    }
    for (let i = random.integer(8); i > 0; i--) {
      const node = random.pick(this.#nodes)
      this.#at(time(), () => this.#crash(node))
    }
    for (let i = random.integer(4); i > 0; i--) {
      const alias = `${random.pick(['x', 'y', 'z'])}.${random.pick(['a.shop.com', 'blog.org', 'shop.com'])}`
      this.#at(time(), () => this.#addAlias(alias))
    }
    if (random.chance(0.25)) {
      const node = random.pick(this.#nodes)
      const offsetMs = random.pick([-1, 1]) * (HOUR + random.integer(100 * DAY))
      const atMs = time()
      this.#at(atMs, () => {
        node.offsetMs = offsetMs
        this.#partitions.push([this.#nowMs, Number.POSITIVE_INFINITY])
        this.#unsettle(node)
        this.#wake(node, 0)
      })
      this.#at(atMs + outageMs(), () => this.#setRight(node))
    }
    if (random.chance(0.3)) {
      const atMs = random.chance(0.5) ? NOW : time()
      const node = random.pick(this.#nodes)
      this.#goodMs = 2 * GOOD_MS
      this.#at(atMs, () => {
        if (!this.#healed) this.#deaf = node
      })
      this.#at(atMs + 7 * DAY, () => {
        this.#deaf = undefined
      })
    }
    if (this.#nodes.length > 2 && random.chance(0.3)) this.#at(time(), () => this.#compromise())
  }

  /** What it said from the future is held until then, by itself too. */
  #setRight(node: SimNode): void {
    node.offsetMs = 0
    if (!this.#isSplit()) for (const one of this.#partitions) one[1] = Math.min(one[1], this.#nowMs)
    this.#unsettle(node)
    const kept = [...node.written].filter(([, { stamp }]) => stamp.wallMs <= this.#nowMs + AHEAD_MS)
    node.state.apply({ entries: [...node.written.keys()].map((key) => [key, null]), touches: [] })
    node.written.clear()
    node.lastStamp = { wallMs: 0, counter: 0 }
    node.version++
    this.#merge(node, new Map(kept))
    for (const other of this.#nodes) if (this.#reach(node, other)) this.#merge(node, other.written)
    this.#wake(node, 0)
  }

  /** A node that an operator reaches, and whose clock is right. */
  #findTeller(): SimNode | undefined {
    return this.#nodes.find((node) => node.alive && Math.abs(node.offsetMs) < 10 * MINUTE)
  }

  #split(): void {
    if (this.#healed || this.#isSplit()) return
    this.#groups = new Map(this.#nodes.map(({ key }, i) => [key, i === 0 ? 0 : this.#random.integer(2)]))
    this.#partitions.push([this.#nowMs, Number.POSITIVE_INFINITY])
    for (const node of this.#nodes) {
      this.#unsettle(node)
      this.#wake(node, 30 * SECOND)
    }
  }

  #join(): void {
    if (!this.#isSplit()) return
    this.#groups = new Map(this.#nodes.map(({ key }) => [key, 0]))
    for (const one of this.#partitions) one[1] = Math.min(one[1], this.#nowMs)
    for (const node of this.#nodes) {
      this.#unsettle(node)
      this.#wake(node, 30 * SECOND)
    }
    this.#at(this.#nowMs + 10 * SECOND, () => this.#syncAll())
  }

  #isSplit(): boolean {
    return new Set(this.#groups.values()).size > 1
  }

  /** Stops at once, whatever it is doing, and comes back; some tell what was cut off, and some do not get to it. */
  #crash(node: SimNode): void {
    if (!node.alive || this.#healed) return
    node.alive = false
    node.life++
    node.running.clear()
    node.seen.clear()
    node.wakeMs = Number.POSITIVE_INFINITY
    for (const other of this.#nodes) this.#wake(other, 30 * SECOND)
    const downMs = this.#random.chance(0.5)
      ? this.#random.integer(MINUTE)
      : Math.floor(MINUTE * 2 ** (this.#random.next() * 12))
    this.#at(this.#nowMs + downMs, () => this.#restart(node))
  }

  #restart(node: SimNode): void {
    if (node.alive || this.#isRemoved(node)) return
    node.alive = true
    this.#unsettle(node)
    for (const other of this.#nodes) if (this.#reach(node, other)) this.#merge(node, other.written)
    if (!this.#forgetful) this.#write(node, failCutOff(this.#view(node)))
    for (const other of this.#nodes) this.#wake(other, 30 * SECOND)
  }

  #addAlias(alias: string): void {
    const node = this.#findTeller()
    if (node === undefined) return
    const domain = host(alias.split('.').slice(-2).join('.'))
    this.#write(node, [{ kind: 'alias.set', domain, host: host(alias) }])
    this.#aliases.add(alias)
    for (const other of this.#nodes) this.#unsettle(other)
  }

  /** The last node is in a stranger's hands: removed, and everything that was sealed so far is known. */
  #compromise(): void {
    const stolen = this.#nodes.at(-1) as SimNode
    const teller = this.#findTeller()
    if (teller === undefined || teller === stolen) return
    this.#compromisedMs = this.#nowMs
    stolen.alive = false
    stolen.life++
    stolen.running.clear()
    this.#write(teller, [{ kind: 'node.remove', key: stolen.key, how: 'revoke' }])
    for (const node of this.#nodes) {
      this.#unsettle(node)
      this.#wake(node, MINUTE)
    }
  }

  #isRemoved(node: SimNode): boolean {
    return this.#compromisedMs !== undefined && node === this.#nodes.at(-1)
  }

  #heal(): void {
    this.#healed = true
    this.#deaf = undefined
    this.#join()
    for (const authority of this.#authorities.values()) authority.mood = 'fine'
    this.#badUntilMs = Math.min(this.#badUntilMs, this.#nowMs)
    for (const node of this.#nodes) {
      if (Math.abs(node.offsetMs) > 10 * MINUTE) this.#setRight(node)
      if (!node.alive) this.#restart(node)
    }
    this.#syncAll()
  }

  // Links

  #reach(a: SimNode, b: SimNode): boolean {
    return a !== b && a.alive && b.alive && this.#groups.get(a.key) === this.#groups.get(b.key)
  }

  #syncAll(): void {
    for (const a of this.#nodes) for (const b of this.#nodes) if (this.#reach(a, b)) this.#merge(a, b.written)
    for (const node of this.#nodes) this.#wake(node, 0)
  }

  #write(node: SimNode, changes: readonly Change[]): void {
    if (changes.length === 0) return
    const written = this.#compile(node, changes)
    this.#merge(node, written)
    for (const other of this.#nodes) {
      if (other === node) continue
      this.#at(this.#nowMs + 100 + this.#random.integer(4000), () => {
        if (!this.#reach(node, other)) return
        this.#merge(other, written)
        this.#wake(other, GATHER_MS)
      })
    }
    this.#wake(node, GATHER_MS)
  }

  #compile(node: SimNode, changes: readonly Change[]): Map<string, Written> {
    const stamp = nextStamp(this.#clock(node), [node.lastStamp])
    node.lastStamp = stamp
    const id = this.#makeId()
    const { keys, removedScopes } = compileEffects({ author: node.key, changes, stamp })
    const written = new Map<string, Written>()
    const put = (key: string, value: unknown) => {
      const entry = value === undefined ? null : { key, value, operation: id as OperationId, author: node.key, stamp }
      written.set(key, { entry, stamp, id })
    }
    for (const scope of removedScopes) for (const { key } of node.state.scope(scope)) put(key, undefined)
    for (const [key, { value }] of keys) put(key, value)
    return written
  }

  #makeId(): string {
    const number = ++this.#counter
    return encodeBase32(Uint8Array.from({ length: 32 }, (_, i) => (i < 4 ? (number >> (8 * i)) & 0xff : i)))
  }

  /** The greatest operation of each key wins; what is said from the future waits for its time. */
  #merge(node: SimNode, written: ReadonlyMap<string, Written>): void {
    const entries: [string, Entry | null][] = []
    const early = new Map<string, Written>()
    for (const [key, one] of written) {
      const known = node.written.get(key)
      if (known !== undefined && compare(known, one) >= 0) continue
      if (one.stamp.wallMs > this.#clock(node) + AHEAD_MS && one.entry?.author !== node.key) {
        early.set(key, one)
        continue
      }
      node.written.set(key, one)
      node.version++
      if (compareStamps(one.stamp, node.lastStamp) > 0) node.lastStamp = one.stamp
      entries.push([key, one.entry])
    }
    if (entries.length > 0) node.state.apply({ entries, touches: [] })
    if (early.size === 0) return
    const waitMs = Math.max(...[...early.values()].map(({ stamp }) => stamp.wallMs)) - this.#clock(node)
    // What is days ahead comes with the next exchange, if it ever is in time.
    if (waitMs > DAY) return
    this.#at(this.#nowMs + waitMs, () => {
      if (!node.alive) return
      this.#merge(node, early)
      this.#wake(node, 0)
    })
  }

  #clock(node: SimNode): number {
    return this.#nowMs + node.offsetMs
  }

  // What a node sees and does

  #view(node: SimNode): CertificateView {
    const held = this.#heldBy(node)
    return {
      state: node.state,
      self: node.key,
      up: new Set([node, ...this.#nodes.filter((other) => this.#reach(node, other))].map(({ key }) => key)),
      nowMs: this.#clock(node),
      directories: [MAIN, OTHER],
      facts: (name) => this.#factsOf(node, name),
      held,
      renewals: this.#wishes(held),
      exposedAccounts: new Set(),
      running: new Set(node.running.keys()),
    }
  }

  #heldBy(node: SimNode): ReadonlyMap<CertificateName, HeldCertificate> {
    if (node.held.version === node.version) return node.held.map
    const map = new Map<CertificateName, HeldCertificate>()
    for (const name of node.state.ids('certificate')) {
      const one = this.#open(node, cert(name))
      if (one !== undefined) map.set(one.name, one)
    }
    node.held = { version: node.version, map }
    return map
  }

  #open(node: SimNode, name: CertificateName): HeldCertificate | undefined {
    const value = node.state.get(`certificate/${name}`)?.value as
      | (Omit<HeldCertificate, 'id' | 'exposed'> & { chain: string; key: { epoch: string } })
      | undefined
    if (value === undefined) return undefined
    const { names, notBeforeMs, notAfterMs, directory, chain } = value
    const stolen = this.#nodes.at(-1) as SimNode
    const exposed = value.key.epoch === OLD_EPOCH && findNode(node.state, stolen.key) === undefined
    const dates = { notBeforeMs, notAfterMs, ...(directory === undefined ? {} : { directory }) }
    return { name, names, id: chain as OperationId, exposed, ...dates }
  }

  #wishes(held: ReadonlyMap<CertificateName, HeldCertificate>): CertificateView['renewals'] {
    if (this.#wish === 'none') return new Map()
    return new Map(
      [...held.values()].map(({ id, notBeforeMs, notAfterMs }) => {
        const life = notAfterMs - notBeforeMs
        if (this.#wish === 'hostile') return [id, { startMs: 0, endMs: 1 }]
        return [id, { startMs: notBeforeMs + 0.5 * life, endMs: notBeforeMs + 0.6 * life }]
      }),
    )
  }

  /** Resolvers fail now and then, for one node and a while. */
  #factsOf(node: SimNode, name: string): HostFacts | undefined {
    const known = [...this.#aliases, 'bad.blog.org'].includes(name)
    if (!known) return undefined
    const foundMs = this.#clock(node)
    const spell = Math.floor((this.#nowMs - NOW) / SPELL_MS)
    const random = createRandom(this.#options.seed + spell * 31 + hash(node.key + name))
    const isLost = this.#options.calm !== true && !this.#healed && random.chance(0.1)
    if (isLost) return { pointing: 'unknown', found: 'nobody answers', caa: undefined, foundMs }
    const pointing = name.endsWith('shop.com') ? 'delegated' : 'ours'
    return { pointing, found: '', caa: 'none', foundMs }
  }

  #wake(node: SimNode, afterMs: number): void {
    const atMs = this.#nowMs + afterMs
    if (!node.alive || node.wakeMs <= atMs) return
    node.wakeMs = atMs
    const { life } = node
    this.#at(atMs, () => {
      if (node.life !== life || node.wakeMs !== atMs) return
      node.wakeMs = Number.POSITIVE_INFINITY
      this.#look(node)
    })
  }

  #look(node: SimNode): void {
    const view = this.#view(node)
    const plan = this.#planFor(view)
    const due: CertificateDuty[] = []
    let nextMs = Math.min(plan.nextMs ?? Number.POSITIVE_INFINITY, view.nowMs + DAY)
    const ids = new Set(plan.duties.map(({ id }) => id))
    for (const id of node.seen.keys()) if (!ids.has(id)) node.seen.delete(id)
    for (const duty of plan.duties) {
      const since = node.seen.get(duty.id) ?? view.nowMs
      node.seen.set(duty.id, since)
      const atMs = since + duty.rank * RANK_PATIENCE_MS
      if (atMs <= view.nowMs) due.push(duty)
      else nextMs = Math.min(nextMs, atMs)
    }
    for (const duty of due) this.#do(node, duty)
    if (nextMs !== undefined) this.#wake(node, Math.max(SECOND, nextMs - view.nowMs))
  }

  #planFor(view: CertificateView): CertificatePlan {
    this.#plans++
    return planCertificates(view)
  }

  #do(node: SimNode, duty: CertificateDuty): void {
    switch (duty.kind) {
      case 'order':
        this.#beginOrder(node, duty.wanted, duty.directory)
        return
      case 'end-challenge':
        this.#write(node, [{ kind: 'challenge.remove', host: duty.host, author: duty.author }])
        return
      case 'drop': {
        const held = this.#heldBy(node).get(duty.name)
        if (held?.id !== duty.certificate) return
        this.#write(node, [
          { kind: 'certificate.remove', name: duty.name },
          ...(duty.revoke ? [this.#revocation(held)] : []),
        ])
        return
      }
      case 'revoke': {
        const known = node.state.get(`revocation/${duty.certificate}`)?.value as { directory: string } | undefined
        const authority = this.#authorities.get(known?.directory ?? '')
        if (known === undefined || authority === undefined || authority.mood !== 'fine') return
        for (const other of this.#view(node).held.values())
          if (other.id === duty.certificate) this.#fault('a certificate was revoked that is served')
        authority.revoked.add(duty.certificate)
        this.#write(node, [{ ...(known as object), kind: 'certificate.revoke', phase: 'done' } as Change])
        return
      }
      case 'roll-account':
        return
      default:
        duty satisfies never
    }
  }

  // An order, step by step; a crash between any two

  #beginOrder(node: SimNode, wanted: WantedCertificate, directory: string): void {
    const { name } = wanted
    if (node.running.has(name)) {
      this.#fault(`an order of ${name} while one is under way`)
      return
    }
    this.#write(node, [beginOrder(this.#view(node), wanted, directory)])
    const ticket = ++this.#order
    node.running.set(name, ticket)
    const authority = this.#authorities.get(directory) as SimAuthority
    const isCurrent = () => node.alive && node.running.get(name) === ticket
    const later = (ms: number, act: () => void) =>
      this.#at(this.#nowMs + ms, () => {
        if (isCurrent()) act()
      })
    const fail = (problem: OrderProblem) => {
      this.#failures++
      const change = failOrder(this.#view(node), name, problem)
      node.running.delete(name)
      this.#write(node, change === undefined ? [] : [change])
    }
    later(1 + this.#random.integer(3 * SECOND), () => {
      if (authority.mood === 'down' || node === this.#deaf)
        return later(30 * SECOND, () => fail({ type: 'unreachable', detail: 'no answer' }))
      if (authority.mood === 'nonsense') return fail({ type: 'nonsense', detail: '<html>' })
      if (authority.mood === 'limiting') return fail({ type: 'rateLimited', detail: 'wait', retryAfterMs: HOUR })
      authority.starts.push({ atMs: this.#nowMs, name })
      if (authority.mood === 'slow')
        return later(19 * MINUTE, () => fail({ type: 'unreachable', detail: 'it took too long' }))
      const untilMs = Math.floor(this.#clock(node) + HOUR)
      const hosts = [...wanted.ways.keys()]
      this.#write(
        node,
        hosts.map((one): Change => ({ kind: 'challenge.set', host: one, http: [], dns: [], untilMs })),
      )
      later(5 * SECOND + this.#random.integer(50 * SECOND), () => {
        const bad = wanted.names.find((one) => one === 'bad.blog.org' && this.#nowMs < this.#badUntilMs)
        if (bad !== undefined) return fail({ type: 'unauthorized', detail: 'not yours', name: bad })
        later(1 + this.#random.integer(5 * SECOND), () => this.#issue(node, wanted, authority, fail))
      })
    })
  }

  #issue(
    node: SimNode,
    wanted: WantedCertificate,
    authority: SimAuthority,
    fail: (problem: OrderProblem) => void,
  ): void {
    const { name, names } = wanted
    const set = names.join(' ')
    authority.issued.push({ atMs: this.#nowMs, name, set, by: node.key })
    const notBeforeMs = this.#nowMs - HOUR
    const notAfterMs = notBeforeMs + this.#options.lifeMs
    if (Math.abs(node.offsetMs) > HOUR) {
      fail({ type: 'wrong-certificate', detail: 'it is not valid now' })
      return
    }
    const id = this.#makeId()
    const view = this.#view(node)
    const done = finishOrder(view, name)
    const old = view.held.get(name)
    const stolen = this.#nodes.at(-1) as SimNode
    const epoch = findNode(node.state, stolen.key) === undefined ? NEW_EPOCH : OLD_EPOCH
    node.running.delete(name)
    this.#write(node, [
      {
        kind: 'certificate.set',
        name,
        names,
        chain: id,
        key: { epoch, box: 'AA' },
        notBeforeMs,
        notAfterMs,
        directory: authority.directory,
      },
      ...(done === undefined ? [] : [done]),
      ...[...wanted.ways.keys()].map((one): Change => ({ kind: 'challenge.remove', host: one, author: node.key })),
      ...(old?.exposed !== true || old.directory === undefined ? [] : [this.#revocation(old)]),
    ])
  }

  #revocation({ id, name, directory = '' }: HeldCertificate): Change {
    const key = { epoch: OLD_EPOCH, box: 'AA' }
    return { kind: 'certificate.revoke', id, name, certificate: '', key, directory, reason: 1, phase: 'due' }
  }

  // Laws

  /** Everything that a node needs to get certificates has been there since `goodSinceMs`. */
  #unsettle(node: SimNode): void {
    this.#closeStretch(node)
    node.goodSinceMs = this.#nowMs
  }

  #closeStretch(node: SimNode): void {
    if (this.#nowMs - node.goodSinceMs >= this.#goodMs) node.stretches.push([node.goodSinceMs, this.#nowMs])
  }

  /** Nodes that see the same pick the same one. */
  #checkRanks(): void {
    const live = this.#nodes.filter((node) => node.alive && Math.abs(node.offsetMs) < 10 * MINUTE)
    const [first] = live
    if (first === undefined || live.some((node) => node !== first && !this.#reach(first, node))) return
    if (live.length !== this.#nodes.filter((node) => node.alive).length || this.#nodes.some((n) => n.running.size > 0))
      return
    if (live.some((node) => digest(node) !== digest(first))) return
    const ranks = new Map<string, number[]>()
    for (const node of live)
      for (const duty of this.#planFor({ ...this.#view(node), nowMs: this.#nowMs, facts: this.#view(first).facts })
        .duties)
        if (duty.kind === 'order') ranks.set(duty.id, [...(ranks.get(duty.id) ?? []), duty.rank])
    for (const [id, all] of ranks)
      if (all.length === live.length && all.sort().join() !== live.map((_, i) => i).join())
        this.#fault(`the ranks of ${id} are ${all.join(' ')}`)
  }

  #check(): void {
    if (this.#random.chance(0.01)) this.#checkRanks()
    const isFine = this.#authorities.get(MAIN)?.mood === 'fine'
    for (const node of this.#nodes) {
      const isSane = node.alive && Math.abs(node.offsetMs) < 10 * MINUTE && this.#hasHelp(node)
      if (!isFine || !isSane) {
        this.#unsettle(node)
        continue
      }
      for (const name of this.#aliases) this.#checkName(node, name)
    }
  }

  /** It, or one that it reaches, reaches the authorities. */
  #hasHelp(node: SimNode): boolean {
    return (
      node !== this.#deaf || this.#nodes.some((other) => this.#reach(node, other) && Math.abs(other.offsetMs) < HOUR)
    )
  }

  #checkName(node: SimNode, name: string): void {
    const having = [...this.#heldBy(node).values()].filter((held) => covers(held.names, name))
    if (having.some((held) => held.notAfterMs > this.#nowMs)) return
    const alias = name.replace(/^\*\.(ns\.)?/, '')
    if (node.state.get(`host/${alias}`) === undefined) return
    const heardMs = node.heard.get(name) ?? this.#nowMs
    node.heard.set(name, heardMs)
    const last = Math.max(0, ...having.map((held) => held.notAfterMs))
    const worn = having.find((held) => held.notAfterMs === last)
    const dueMs = worn === undefined ? 0 : judgeRenewal(worn, { revoked: false, directories: [MAIN, OTHER] }).dueMs
    const stretches = [...node.stretches, [node.goodSinceMs, this.#nowMs] as const]
    const had = stretches.find(([from, to]) => to - Math.max(from, dueMs, heardMs) >= this.#goodMs)
    if (had === undefined) return
    const hours = Math.floor((this.#nowMs - NOW) / HOUR)
    this.#fault(`hour ${hours}: ${name} has no certificate at ${node.key.slice(0, 4)}, though it could have had one`)
  }

  /** What keeps the cluster from being at rest and of one mind now; once there was nothing, it was. */
  #checkRest(): void {
    if (this.#restless.length === 0 && this.#rested) return
    const faults: string[] = []
    const live = this.#nodes.filter((node) => node.alive)
    const [first] = live as [SimNode]
    for (const node of live) {
      if (digest(node) !== digest(first)) faults.push('nodes disagree at the end')
      const view = this.#view(node)
      for (const duty of this.#planFor(view).duties) faults.push(`left at the end: ${duty.id}`)
      for (const held of view.held.values()) if (held.exposed) faults.push(`${held.name} is exposed at the end`)
    }
    if (first.state.ids('challenge').length > 0) faults.push('challenges are left at the end')
    for (const { value } of first.state.ids('revocation').flatMap((id) => first.state.scope(`revocation/${id}`)))
      if ((value as { phase: string }).phase !== 'done') faults.push('a revocation is left at the end')
    this.#restless = faults
    this.#rested = faults.length === 0
  }

  /** What an authority saw of us: in a partition each side knows of its own orders alone. */
  #checkBudget({ starts, issued, directory }: SimAuthority): void {
    const names = new Set(starts.map(({ name }) => name))
    for (const name of names) {
      const times = starts.filter((one) => one.name === name).map(({ atMs }) => atMs)
      this.#checkRate(times, HOUR, 5, `${name}: orders within an hour at ${directory}`)
      this.#checkRate(times, 7 * DAY, 60, `${name}: orders within a week at ${directory}`)
    }
    for (const set of new Set(issued.map((one) => one.set))) {
      const times = issued.filter((one) => one.set === set).map(({ atMs }) => atMs)
      this.#checkRate(times, 7 * DAY, 5, `${set}: certificates within a week at ${directory}`)
    }
  }

  #checkRate(times: readonly number[], spanMs: number, most: number, what: string): void {
    for (const [i, from] of times.entries()) {
      const count = times.slice(i).filter((atMs) => atMs < from + spanMs).length
      const isSplit = this.#partitions.some(([a, b]) => a < from + spanMs && b > from - spanMs)
      if (count > most * (isSplit ? 2 : 1)) {
        this.#fault(`${count} > ${most} ${what}`)
        return
      }
    }
  }

  #fault(text: string): void {
    if (this.#faults.length < 5) this.#faults.push(text)
  }

  // Time

  #at(atMs: number, act: () => void): void {
    const queue = this.#queue
    queue.push({ atMs, order: ++this.#order, act })
    let i = queue.length - 1
    while (i > 0) {
      const up = (i - 1) >> 1
      if (!before(queue[i], queue[up])) break
      swap(queue, i, up)
      i = up
    }
  }

  #pop(): { atMs: number; act: () => void } | undefined {
    const queue = this.#queue
    const first = queue[0]
    const last = queue.pop()
    if (last === undefined || queue.length === 0) return first
    queue[0] = last
    for (let i = 0; ; ) {
      let least = i
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < queue.length && before(queue[child], queue[least])) least = child
      if (least === i) return first
      swap(queue, i, least)
      i = least
    }
  }
}

type Item = { atMs: number; order: number }
const before = (a: Item | undefined, b: Item | undefined): boolean =>
  a !== undefined && b !== undefined && (a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order))

function swap<T>(items: T[], i: number, j: number): void {
  const one = items[i] as T
  items[i] = items[j] as T
  items[j] = one
}

const digest = (node: SimNode): string =>
  JSON.stringify([...node.state.snapshot().entries].sort((a, b) => (a[0] < b[0] ? -1 : 1)))

const compare = (a: Written, b: Written): number =>
  a.stamp.wallMs - b.stamp.wallMs || a.stamp.counter - b.stamp.counter || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)

const covers = (names: readonly string[], name: string): boolean =>
  names.includes(name) || (!name.startsWith('*.') && names.includes(`*${name.slice(name.indexOf('.'))}`))

function hash(text: string): number {
  let sum = 0
  for (let i = 0; i < text.length; i++) sum = (Math.imul(sum, 31) + text.charCodeAt(i)) | 0
  return sum
}
