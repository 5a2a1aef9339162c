import t from 'tap'
import { type ClusterId, encodeCanonical, type MemberKey, type Signer } from '../../../core/index.ts'
import { Awareness, type AwarenessConfig, HEARTBEAT_MS, UP_MS } from '../../../replication/gossip/awareness.ts'
import { createAwarenessEntry } from '../../../replication/gossip/awareness-entry.ts'
import { testSigner } from '../../support/histories.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const cluster = 'b'.repeat(51).concat('a') as ClusterId
const signers = [1, 2, 3, 4].map(testSigner) as [Signer, Signer, Signer, Signer]
const [ours, theirs, third, stranger] = signers
const T = 1_800_000_000_000
const create = (signer: Signer, more: Partial<AwarenessConfig> = {}) =>
  new Awareness({ cluster, signer, incarnation: 10, isMember: (key) => key !== stranger.key, ...more })
const view = (awareness: Awareness, key: MemberKey, nowMs: number) =>
  awareness.entries(nowMs).find((one) => one.key === key)

t.test('what a member says reaches another, and is up while it is young', async (t) => {
  const [a, b] = [create(ours), create(theirs)]
  const said = a.set({ version: '1', active: { 'example.com': 'x' } }, T)
  t.same(b.receive(said, T + 40), { kind: 'new' })
  t.match(view(b, ours.key, T + 50), { data: { version: '1' }, incarnation: 10, up: true, ageMs: 50 })
  t.match(view(a, ours.key, T + 50_000), { up: true, ageMs: 0 }, 'we know that we are here')
  t.match(view(b, ours.key, T + UP_MS), { up: true })
  t.match(view(b, ours.key, T + UP_MS + 1), { up: false, ageMs: UP_MS + 1 })
})

t.test('heartbeats are due every five seconds, also when the clock goes back', async (t) => {
  const a = create(ours)
  t.equal(a.heartbeat(T), undefined, 'nothing was said yet')
  a.set({ n: 1 }, T)
  t.equal(a.heartbeat(T + HEARTBEAT_MS - 1), undefined)
  t.ok(a.heartbeat(T + HEARTBEAT_MS))
  t.equal(a.heartbeat(T + HEARTBEAT_MS + 1), undefined)
  t.ok(a.heartbeat(T - 60_000))
})

t.test('events tell what changed, not that a heart beats', async (t) => {
  const [a, b] = [create(ours), create(theirs)]
  const changes: boolean[] = []
  b.events.on('change', ({ key, up }) => t.equal(key, ours.key) && changes.push(up))
  b.receive(a.set({ n: 1 }, T), T)
  for (let at = T + 5000; at < T + 30_000; at += 5000) {
    b.receive(a.heartbeat(at) as Uint8Array, at)
    b.expire(at)
  }
  t.same(changes, [true])
  b.receive(a.set({ n: 2 }, T + 30_000), T + 30_000)
  t.same(changes, [true, true])
  b.expire(T + 30_000 + UP_MS)
  b.expire(T + 30_001 + UP_MS)
  b.expire(T + 30_002 + UP_MS)
  t.same(changes, [true, true, false])
  b.receive(a.heartbeat(T + 60_000) as Uint8Array, T + 60_000)
  t.same(changes, [true, true, false, true])
})

t.test('only the author replaces or withdraws, and a leave is final for that word', async (t) => {
  const [a, b] = [create(ours), create(theirs)]
  const first = a.set({ n: 1 }, T)
  b.receive(first, T)
  const gone = a.withdraw(T + 10) as Uint8Array
  t.same(b.receive(gone, T + 10), { kind: 'new' })
  t.equal(view(b, ours.key, T + 10), undefined)
  t.same(b.receive(first, T + 20), { kind: 'known' }, 'an old word that comes late raises nobody')
  t.equal(view(b, ours.key, T + 20), undefined)
  t.equal(a.heartbeat(T + 60_000), undefined, 'who left is silent')
  const again = create(ours, { incarnation: 11 })
  b.receive(again.set({ n: 2 }, T + 30), T + 30)
  t.match(view(b, ours.key, T + 30), { data: { n: 2 }, incarnation: 11 })
})

t.test('a neighbour that timed a member out erases it nowhere', async (t) => {
  const [a, b, c] = [create(ours), create(theirs), create(third)]
  const said = a.set({ n: 1 }, T)
  for (const one of [b, c]) one.receive(said, T)
  c.expire(T + 60_000)
  const late = a.heartbeat(T + 60_000) as Uint8Array
  b.receive(late, T + 60_000)
  for (const bytes of c.snapshot()) t.same(b.receive(bytes, T + 60_001), { kind: 'known' })
  t.match(view(b, ours.key, T + 60_001), { up: true })
})

t.test('what was under way for long is old, whoever relays it', async (t) => {
  const [a, b] = [create(ours), create(theirs)]
  const dead = a.set({ n: 1 }, T)
  b.receive(dead, T + 3_600_000)
  t.match(view(b, ours.key, T + 3_600_000), { up: false, ageMs: 3_600_000 })

  const c = create(third)
  c.receive(a.heartbeat(T + 5000) as Uint8Array, T + 5000)
  c.receive(a.heartbeat(T + 10_000) as Uint8Array, T + 10_000)
  const last = a.heartbeat(T + 15_000) as Uint8Array
  c.receive(last, T + 100_000)
  t.match(view(c, ours.key, T + 100_000), { up: false, ageMs: 85_000 }, 'heard before, then again after a partition')
})

t.test('a clock that is wrong by a minute makes nobody look dead', async (t) => {
  for (const skewMs of [-60_000, 60_000]) {
    const [a, b] = [create(ours), create(theirs)]
    b.receive(a.set({ n: 1 }, T + skewMs), T)
    for (let at = T + 5000; at <= T + 20_000; at += 5000) {
      b.receive(a.heartbeat(at + skewMs) as Uint8Array, at + 30)
      t.match(view(b, ours.key, at + 30), { up: true })
    }
    t.match(view(b, ours.key, T + 20_030 + UP_MS + 100), { up: false }, 'and the time-out works all the same')
  }
})

t.test('two processes with one key are reported, a restart is not', async (t) => {
  const reported: (readonly [number, number])[] = []
  const b = create(theirs)
  b.events.on('cloned', ({ key, incarnations }) => t.equal(key, ours.key) && reported.push(incarnations))
  const [old, next] = [create(ours), create(ours, { incarnation: 11 })]
  const first = old.set({ n: 1 }, T)
  const late = old.heartbeat(T + 5000) as Uint8Array
  b.receive(first, T)
  b.receive(next.set({ n: 2 }, T + 8000), T + 8000)
  t.same(b.receive(late, T + 8100), { kind: 'known' })
  t.same(reported, [], 'a late word of the process before')
  for (const at of [10_000, 15_000, 20_000]) b.receive(old.heartbeat(T + at) as Uint8Array, T + at)
  t.same(reported, [[11, 10]], 'once')
  t.same(b.clones(T + 20_000), [ours.key])
  t.same(b.clones(T + 20_000 + 11 * 60_000), [], 'it has fallen silent')
  t.match(view(b, ours.key, T + 20_000), { incarnation: 11, data: { n: 2 } }, 'the later one is believed')

  const twins: unknown[] = []
  const c = create(theirs)
  c.events.on('cloned', (event) => twins.push(event))
  const [one, two] = [create(ours), create(ours)]
  c.receive(one.set({ disk: 'a' }, T), T)
  c.receive(two.set({ disk: 'b' }, T), T)
  t.equal(twins.length, 1, 'one incarnation, one counter, two words')

  const own: unknown[] = []
  const self = create(ours)
  self.events.on('cloned', (event) => own.push(event))
  t.same(self.receive(create(ours, { incarnation: 9 }).set({ n: 0 }, T - 60_000), T), { kind: 'known' })
  const mine = self.set({ n: 1 }, T)
  self.receive(mine, T + 1)
  t.same(own, [], 'our process before and our own echo')
  self.receive(create(ours, { incarnation: 12 }).set({ n: 9 }, T), T)
  t.equal(own.length, 1, 'a second machine with our key')
})

t.test('what is forged, too large, a stranger’s or from the future is refused', async (t) => {
  const b = create(theirs)
  const refused = (reason: string) => ({ kind: 'refused', reason })
  const forge = (signer: Signer, claimed: Signer) => {
    const entry = createAwarenessEntry(signer, cluster, { incarnation: 99, counter: 1, wallMs: T, data: { n: 1 } })
    const body = entry.bytes.slice(64)
    const at = Buffer.from(body).indexOf(Buffer.from([0xc4, 32])) + 2
    const key = createAwarenessEntry(claimed, cluster, {
      incarnation: 1,
      counter: 1,
      wallMs: T,
      data: null,
    }).bytes.slice(64 + at, 64 + at + 32)
    body.set(key, at)
    return Buffer.concat([entry.bytes.subarray(0, 64), body])
  }
  t.same(b.receive(forge(third, ours), T), refused('forged'))
  t.same(b.receive(create(stranger).set({ n: 1 }, T), T), refused('stranger'))
  t.same(b.receive(create(ours).set({ n: 1 }, T + 5 * 60_000 + 1), T), refused('from-the-future'))
  t.same(b.receive(create(ours).set({ n: 1 }, T + 5 * 60_000), T), { kind: 'new' })
  const elsewhere = create(third, { cluster: 'c'.repeat(51).concat('a') as ClusterId })
  t.same(b.receive(elsewhere.set({ n: 1 }, T), T), refused('forged'))
  t.throws(() => create(ours).set({ n: 'x'.repeat(65_536) }, T), { code: 'MAKI_TOO_LARGE' })
  for (const bytes of [new Uint8Array(), new Uint8Array(64), new Uint8Array(65_537), new Uint8Array(300).fill(0xdd)])
    t.same(b.receive(bytes, T), refused('malformed'))
  for (const body of [[], [1, 2, 3, 4, 5], [new Uint8Array(32), 1, 1, T, 'text'], [new Uint8Array(32), -1, 1, T, {}]])
    t.same(b.receive(Buffer.concat([new Uint8Array(64), encodeCanonical(body)]), T), refused('malformed'))
})

t.test('who is no member any more is forgotten', async (t) => {
  const members = new Set([ours.key, theirs.key])
  const b = create(theirs, { isMember: (key) => members.has(key) })
  const events: boolean[] = []
  b.receive(create(ours).set({ n: 1 }, T), T)
  b.events.on('change', ({ up }) => events.push(up))
  members.delete(ours.key)
  t.equal(view(b, ours.key, T), undefined)
  t.same(b.snapshot(), [])
  b.expire(T)
  t.same(events, [false])
})

for (const seed of seeds(10)) {
  t.test(`entries come to the same whatever the order and repetition (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const bytes: Uint8Array[] = []
    for (const [index, signer] of [ours, third].entries())
      for (const incarnation of [1, 2]) {
        const author = create(signer, { incarnation })
        for (let n = 0; n < 5; n++) bytes.push(author.set({ index, n: random.integer(3) }, T + n + incarnation * 100))
      }
    const read = (order: readonly Uint8Array[]) => {
      const b = create(theirs)
      for (const one of order) b.receive(one, T + 1000)
      return b.entries(T + 1000).map(({ key, incarnation, data }) => ({ key, incarnation, data }))
    }
    t.same(read(random.shuffle([...bytes, ...bytes])), read(bytes))

    const b = create(theirs)
    for (let i = 0; i < 300; i++) {
      const bent = new Uint8Array(random.pick(bytes))
      bent[random.integer(bent.length)] = random.integer(256)
      b.receive(bent, T + 1000)
    }
    for (const entry of b.entries(T + 1000)) t.ok(signers.some(({ key }) => key === entry.key))
  })
}
