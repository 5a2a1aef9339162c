import t from 'tap'
import { idBytes, type MemberKey, type OperationId } from '../../../core/index.ts'
import { Gossip, LINK_SILENCE_MS } from '../../../replication/gossip/gossip.ts'
import type { GossipEffect, GossipFrame } from '../../../replication/gossip/gossip-messages.ts'
import { encodeSyncMessage, parseSyncMessage } from '../../../replication/gossip/sync-message.ts'
import type { MergeReport } from '../../../replication/ports.ts'
import { FakeReplica, fakeOperation } from '../../sim/fake-replica.ts'
import { GossipSimulation } from '../../sim/gossip-simulation.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const peer = 'peer' as MemberKey
const report: MergeReport = { added: [], known: 0, missing: [], refused: [], gap: false }
const framesOf = (effects: readonly GossipEffect[]) =>
  effects.flatMap((one) => (one.kind === 'send' ? [one.frame] : []))
const syncKind = (frame: GossipFrame | undefined) =>
  frame?.type === 'sync' ? parseSyncMessage(frame.message).kind : frame?.type

for (const seed of seeds(12)) {
  t.test(`all sets become equal, whatever was lost, repeated, split or crashed (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const size = 3 + random.integer(seed % 4 === 0 ? 18 : 7)
    const sim = new GossipSimulation(random, size)
    Object.assign(sim.faults, { loss: 0.03, duplication: 0.05, reset: 0.005 })
    const acknowledged: OperationId[] = []
    for (let i = 0; i < 40; i++) {
      sim.at(random.integer(30_000), () => {
        const node = sim.node(random.integer(size))
        if (!node.up) return
        const heads = [...node.replica.operations.keys()].slice(-2)
        acknowledged.push(node.replica.commit(`operation ${i}`, heads))
      })
    }
    for (let i = 0; i < 4; i++) {
      const index = random.integer(size)
      const fromMs = random.integer(25_000)
      sim.at(fromMs, () => sim.crash(index))
      sim.at(fromMs + random.integer(10_000), () => sim.restart(index))
    }
    sim.at(5000, () => sim.partition((index) => (index * 7 + seed) % 2))
    sim.at(17_000, () => sim.heal())
    sim.runUntil(36_000)
    Object.assign(sim.faults, { loss: 0, duplication: 0, reset: 0 })
    for (let index = 0; index < size; index++) sim.restart(index)
    while (!sim.converged() && sim.nowMs < 200_000) sim.runUntil(sim.nowMs + 500)
    t.ok(sim.converged(), `equal after ${sim.nowMs} ms with ${size} nodes`)
    for (const { replica } of sim.nodes) {
      t.equal(replica.operations.size, acknowledged.length, 'every acknowledged operation and no other is there')
      t.equal(replica.pending.size, 0, 'nothing waits')
    }
    t.same(sim.dropped, [], 'nobody was dropped')

    sim.runUntil(sim.nowMs + 10_000)
    const before = { ...sim.sent }
    const total = sim.totalSent
    sim.runUntil(sim.nowMs + 30_000)
    t.ok(sim.totalSent - total <= size * 24, `at rest ${sim.totalSent - total} frames in 30 s`)
    t.same({ ...sim.sent, digest: 0 }, { ...before, digest: 0 }, 'at rest only digests are said')
  })
}

for (const seed of seeds(4)) {
  t.test(`in a healthy network a push crosses each link at most twice (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const sim = new GossipSimulation(random, 4 + random.integer(13))
    sim.runUntil(5000)
    const before = { ...sim.sent }
    const commits = 20
    for (let i = 0; i < commits; i++)
      sim.at(5000 + i * 400, () => sim.node(random.integer(sim.nodes.length)).replica.commit(`push ${i}`))
    sim.runUntil(5000 + commits * 400 + 1000)
    t.ok(sim.converged(), 'equal without waiting for a repair')
    const pushed = (sim.sent.sync ?? 0) - (before.sync ?? 0)
    // Digests that meet a push under way ask once more; they are few.
    t.ok(pushed <= commits * sim.pairs.length * 2 * 1.5, `${pushed} sync frames over ${sim.pairs.length} links`)
    t.equal(sim.sent.operations ?? 0, before.operations ?? 0, 'nothing was sent twice by id')
  })
}

t.test('an operation whose slot in the document was taken arrives all the same', async (t) => {
  const sim = new GossipSimulation(createRandom(5), 3)
  sim.runUntil(3000)
  sim.node(0).replica.commit('first')
  sim.runUntil(6000)
  t.ok(sim.converged())
  sim.partition((index) => (index === 0 ? 0 : 1))
  const squatter = new FakeReplica(7)
  for (const update of sim.node(0).replica.diffNow(new Uint8Array([0]))) squatter.mergeUpdateNow(update)
  squatter.doc.clientID = sim.node(0).replica.doc.clientID
  const own = squatter.commit('the squatter writes into the next slot of node 0')
  for (const update of squatter.diffNow(sim.node(1).replica.stateVector())) sim.node(1).replica.mergeUpdateNow(update)
  const victim = sim.node(0).replica.commit('acknowledged by node 0')
  sim.runUntil(8000)
  t.same(sim.node(0).replica.stateVector(), sim.node(1).replica.stateVector(), 'the state vectors see nothing')
  sim.heal()
  while (!sim.converged() && sim.nowMs < 60_000) sim.runUntil(sim.nowMs + 500)
  for (const { replica } of sim.nodes) t.ok(replica.has(victim) && replica.has(own), 'both are everywhere')
})

t.test('a flood of state vectors is answered a few times a second, and one answer at a time', async (t) => {
  const replica = new FakeReplica(1)
  replica.commit('one')
  const gossip = new Gossip(replica, () => 0)
  gossip.handle({ kind: 'link-up', link: 1, peer }, 0)
  const vector = new FakeReplica(2).stateVector()
  const flood: GossipFrame[] = [
    { type: 'sync', message: encodeSyncMessage({ kind: 'step1', vector }) },
    { type: 'digest', vector, root: new Uint8Array(32) },
  ]
  const ask = (i: number) =>
    gossip
      .handle({ kind: 'frame', link: 1, frame: flood[i % 2] as GossipFrame }, 0)
      .filter((effect) => effect.kind === 'diff').length
  const answers = () => {
    let started = 0
    for (let i = 0; i < 200; i++) {
      const count = ask(i)
      started += count
      t.equal(ask(i) * count, 0, 'none while one is under way')
      const part = { kind: 'diff-read', link: 1, update: new Uint8Array([0, 0]) } as const
      t.equal(syncKind(framesOf(gossip.handle({ ...part, more: true }, 0))[0]), 'update')
      t.equal(ask(i), 0)
      t.equal(syncKind(framesOf(gossip.handle({ ...part, more: false }, 0))[0]), 'step2')
    }
    return started
  }
  t.equal(answers(), 16)
  t.equal(answers(), 0)
  gossip.handle({ kind: 'tick' }, 0)
  t.equal(answers(), 16)
})

t.test('a flood of tables, buckets and digests is answered a few times a second', async (t) => {
  const replica = new FakeReplica(1)
  const one = replica.commit('one')
  const gossip = new Gossip(replica, () => 0)
  gossip.handle({ kind: 'link-up', link: 1, peer }, 0)
  const vector = replica.stateVector()
  const questions: [frame: GossipFrame, answered: number][] = [
    [{ type: 'table', table: new Uint8Array(256 * 36).fill(7) }, 4],
    [{ type: 'bucket', index: idBytes(one)[0] as number, ids: new Uint8Array() }, 320],
    [{ type: 'digest', vector, root: new Uint8Array(32) }, 16],
  ]
  for (const round of [1, 2]) {
    for (const [frame, limit] of questions) {
      let answered = 0
      for (let i = 0; i < 2000; i++) {
        const effects = gossip.handle({ kind: 'frame', link: 1, frame }, 0)
        if (effects.length > 0) answered++
        for (const { kind } of effects)
          if (kind === 'read-operations') gossip.handle({ kind: 'operations-read', link: 1, operations: [] }, 0)
      }
      t.equal(answered, limit, `${frame.type}, tick ${round}`)
    }
    gossip.handle({ kind: 'tick' }, 0)
  }
})

t.test('a peer that says again and again what is known is dropped; an honest one never', async (t) => {
  const gossip = new Gossip(new FakeReplica(1), () => 0)
  gossip.handle({ kind: 'link-up', link: 1, peer }, 0)
  gossip.handle({ kind: 'link-up', link: 2, peer }, 0)
  const known = { kind: 'merged', cause: 'update', report: { ...report, known: 1 } } as const
  let untroubled = true
  for (let i = 0; i < 50_000; i++) {
    gossip.handle({ kind: 'update', update: new Uint8Array([1]), origin: 2 }, 0)
    untroubled &&= gossip.handle({ ...known, link: 1 }, 0).length === 0
  }
  t.ok(untroubled, 'whoever is the second to tell a thing')
  let count = 0
  for (let dropped = false; !dropped; count++) {
    const effects = gossip.handle({ ...known, link: 1 }, 0)
    dropped = effects.some((effect) => effect.kind === 'drop' && effect.reason === 'flood')
    if (count > 20_000) break
  }
  t.equal(count, 10_000)
})

t.test('what a crowd wrote in one round is not pushed whole where no link would take it', async (t) => {
  const replica = new FakeReplica(1)
  const gossip = new Gossip(replica, () => 0)
  for (const link of [1, 2]) gossip.handle({ kind: 'link-up', link, peer }, 0)
  for (const [sizeBytes, kind] of [
    [16 * 1024 * 1024, 'update'],
    [80 * 1024 * 1024, 'table'],
  ] as const) {
    const effects = gossip.handle({ kind: 'update', update: new Uint8Array(sizeBytes), origin: 1 }, 0)
    t.match(effects, [{ kind: 'send', links: [2] }])
    t.equal(syncKind(framesOf(effects)[0]), kind)
  }
})

t.test('buckets that differ bring what both lack, in frames of bounded size', async (t) => {
  const full = new FakeReplica(1)
  for (let i = 0; i < 20; i++) full.commit(`large ${i} ${'x'.repeat(900_000)}`)
  const gossip = new Gossip(full, () => 0)
  gossip.handle({ kind: 'link-up', link: 1, peer }, 0)
  const empty = new FakeReplica(2)
  const other = new Gossip(empty, () => 0)
  other.handle({ kind: 'link-up', link: 1, peer }, 0)
  const table: GossipFrame = { type: 'table', table: full.inventory.table() }
  const buckets = framesOf(other.handle({ kind: 'frame', link: 1, frame: table }, 0))
  t.ok(buckets.length > 0 && buckets.every((frame) => frame.type === 'bucket'))
  let effects = buckets.flatMap((frame) => gossip.handle({ kind: 'frame', link: 1, frame }, 0))
  let reads = 0
  while (effects.length > 0) {
    const next: GossipEffect[] = []
    for (const effect of effects) {
      if (effect.kind === 'read-operations') {
        reads++
        const operations = await full.readOperations(effect.ids)
        next.push(...gossip.handle({ kind: 'operations-read', link: 1, operations }, 0))
      } else if (effect.kind === 'send' && effect.frame.type === 'operations') {
        const size = effect.frame.operations.reduce((sum, one) => sum + one.length, 0)
        t.ok(size <= 1024 * 1024, `${size} bytes`)
        await empty.mergeOperations(effect.frame.operations)
      }
    }
    effects = next
  }
  t.same(empty.inventory.root(), full.inventory.root())
  t.ok(reads > 0)
})

t.test('a gap is asked for once until it is answered, and an answer with a gap is not asked for again', async (t) => {
  const gossip = new Gossip(new FakeReplica(1), () => 0)
  t.equal(syncKind(framesOf(gossip.handle({ kind: 'link-up', link: 1, peer }, 0))[0]), 'step1')
  const gap = { ...report, gap: true }
  t.same(gossip.handle({ kind: 'merged', link: 1, cause: 'update', report: gap }, 0), [], 'a step 1 is under way')
  const step2 = encodeSyncMessage({ kind: 'step2', update: new Uint8Array([0, 0]) })
  t.same(gossip.handle({ kind: 'frame', link: 1, frame: { type: 'sync', message: step2 } }, 0), [])
  const asked = framesOf(gossip.handle({ kind: 'merged', link: 1, cause: 'update', report: gap }, 0))
  t.equal(syncKind(asked[0]), 'step1')
  gossip.handle({ kind: 'frame', link: 1, frame: { type: 'sync', message: step2 } }, 0)
  t.same(gossip.handle({ kind: 'merged', link: 1, cause: 'answer', report: gap }, 0), [])
})

t.test('missing heads are requested by id, each once a round', async (t) => {
  const gossip = new Gossip(new FakeReplica(1), () => 0)
  gossip.handle({ kind: 'link-up', link: 1, peer }, 0)
  const missing = [fakeOperation('one').id, fakeOperation('two').id]
  const merged = { kind: 'merged', link: 1, cause: 'update', report: { ...report, missing } } as const
  const [request] = framesOf(gossip.handle(merged, 0))
  t.match(request, { type: 'request' })
  t.equal(request?.type === 'request' && request.ids.length, 64)
  t.same(gossip.handle(merged, 0), [])
  gossip.handle({ kind: 'tick' }, 10_000)
  t.equal(framesOf(gossip.handle(merged, 10_000)).length, 1)
})

t.test('a peer that sends what is refused is dropped after a few, and garbage drops it at once', async (t) => {
  const gossip = new Gossip(new FakeReplica(1), () => 0)
  gossip.handle({ kind: 'link-up', link: 1, peer }, 0)
  const refused = { ...report, refused: ['a stranger wrote it'] }
  const merged = { kind: 'merged', link: 1, cause: 'operations', report: refused } as const
  for (let i = 0; i < 16; i++) t.same(gossip.handle(merged, 0), [])
  t.match(gossip.handle(merged, 0), [{ kind: 'drop', link: 1, reason: 'refused-operations' }])
  t.same(gossip.handle(merged, 0), [], 'what comes after is ignored')
  t.equal(gossip.counters.refused, 17)

  const random = createRandom(1)
  for (let i = 0; i < 300; i++) {
    gossip.handle({ kind: 'link-up', link: 2 + i, peer }, 0)
    const message = random.bytes(1 + random.integer(40))
    message[0] = random.integer(4)
    for (const effect of gossip.handle({ kind: 'frame', link: 2 + i, frame: { type: 'sync', message } }, 0))
      t.ok(effect.kind !== 'drop' || effect.reason === 'protocol')
    gossip.handle({ kind: 'link-down', link: 2 + i }, 0)
  }
  gossip.handle({ kind: 'link-up', link: 999, peer }, 0)
  const vector = { type: 'digest', vector: new Uint8Array([0xff, 0xff]), root: new Uint8Array(32) } as const
  t.match(gossip.handle({ kind: 'frame', link: 999, frame: vector }, 0), [{ kind: 'drop', reason: 'protocol' }])
})

t.test('a silent link is dropped, a new update goes everywhere but back', async (t) => {
  const gossip = new Gossip(new FakeReplica(1), () => 0)
  for (const link of [1, 2, 3]) gossip.handle({ kind: 'link-up', link, peer }, 0)
  const [push] = gossip.handle({ kind: 'update', update: new Uint8Array([1]), origin: 2 }, 0)
  t.match(push, { kind: 'send', links: [1, 3] })
  const step2 = encodeSyncMessage({ kind: 'step2', update: new Uint8Array([0, 0]) })
  gossip.handle({ kind: 'frame', link: 2, frame: { type: 'sync', message: step2 } }, LINK_SILENCE_MS)
  gossip.handle({ kind: 'heard', link: 3 }, LINK_SILENCE_MS)
  const dropped = gossip.handle({ kind: 'tick' }, LINK_SILENCE_MS + 1).filter((effect) => effect.kind === 'drop')
  t.match(dropped, [{ link: 1, reason: 'silent' }])
  t.equal(dropped.length, 1, 'a heartbeat is enough')
})
