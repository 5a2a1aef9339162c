import t from 'tap'
import {
  type ClusterId,
  createOperation,
  type MemberKey,
  type OperationId,
  type Role,
  type Signer,
} from '../../../core/index.ts'
import { verifyAdmission } from '../../../replication/gossip/admission.ts'
import { Session, type SessionConfig, type SessionStep } from '../../../replication/gossip/session.ts'
import type { Frame } from '../../../replication/gossip/wire.ts'
import { createTestCluster, testSigner } from '../../support/histories.ts'

const cluster = 'b'.repeat(51).concat('a') as ClusterId
const [alice, bob, eve] = [testSigner(101), testSigner(102), testSigner(103)] as [Signer, Signer, Signer]
let nonces = 0
const config = (signer: Signer, role: SessionConfig['role'], more: Partial<SessionConfig> = {}): SessionConfig => ({
  role,
  cluster,
  signer,
  nonce: new Uint8Array(32).fill(++nonces),
  incarnation: 5,
  version: '0.1.0',
  blobsPort: 8282,
  admission: [],
  isMember: (key) => key === alice.key || key === bob.key,
  admits: () => false,
  ...more,
})

/** Runs two sides against each other; `tamper` stands between them and may change or repeat what they say. */
function shake(a: Session, b: Session, tamper: (frame: Frame, from: 'a' | 'b') => Frame[] = (frame) => [frame]) {
  const results: { a?: SessionStep; b?: SessionStep } = {}
  const queue: { to: 'a' | 'b'; frame: Frame }[] = []
  const send = (from: 'a' | 'b', frames: readonly Frame[]) => {
    for (const frame of frames)
      for (const one of tamper(frame, from)) queue.push({ to: from === 'a' ? 'b' : 'a', frame: one })
  }
  send('a', [a.start()])
  send('b', [b.start()])
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    if (results[next.to] !== undefined) continue
    const step = (next.to === 'a' ? a : b).handle(next.frame)
    if (step.kind !== 'refused') send(next.to, step.send)
    if (step.kind !== 'continue') results[next.to] = step
  }
  return results
}

t.test('two members authenticate each other and what they serve', async (t) => {
  const results = shake(
    new Session(config(alice, 'initiator')),
    new Session(config(bob, 'responder', { incarnation: 9, blobsPort: 1234 })),
  )
  t.match(results.a, {
    kind: 'authenticated',
    peer: { key: bob.key, incarnation: 9, blobsPort: 1234, version: '0.1.0' },
  })
  t.match(results.b, { kind: 'authenticated', peer: { key: alice.key, incarnation: 5, blobsPort: 8282 } })
})

t.test('refusals say why', async (t) => {
  const other = 'c'.repeat(51).concat('a') as ClusterId
  const responder = () => new Session(config(bob, 'responder'))
  const b = (initiator: SessionConfig, tamper?: Parameters<typeof shake>[2]) =>
    shake(new Session(initiator), responder(), tamper).b
  t.match(b(config(alice, 'initiator', { cluster: other })), { kind: 'refused', reason: 'wrong-cluster' })
  t.match(b(config(bob, 'initiator')), { kind: 'refused', reason: 'self' })
  t.match(b(config(eve, 'initiator', { isMember: () => true })), { kind: 'refused', reason: 'stranger' })
  t.match(
    b(config(alice, 'initiator'), (frame) => [frame.type === 'hello' ? { ...frame, protocol: 2 } : frame]),
    { kind: 'refused', reason: 'other-protocol' },
  )
  t.match(responder().handle({ type: 'proof', signature: new Uint8Array(64) }), { reason: 'out-of-turn' })
  t.match(responder().handle({ type: 'admission', operations: [] }), { reason: 'out-of-turn' })
  t.match(responder().handle({ type: 'sync', message: new Uint8Array(1) }), { reason: 'out-of-turn' })
  t.match(responder().handle({ type: 'bye', reason: 'busy' }), { reason: 'refused-by-peer', detail: 'busy' })
  t.match(
    b(config(alice, 'initiator'), (frame) => (frame.type === 'hello' ? [frame, frame] : [frame])),
    {
      reason: 'out-of-turn',
    },
  )
})

t.test('a proof holds for one handshake, one direction and what was said in it', async (t) => {
  const forged = { kind: 'refused', reason: 'forged-proof' }
  let recorded: Frame | undefined
  shake(new Session(config(alice, 'initiator')), new Session(config(bob, 'responder')), (frame, from) => {
    if (from === 'a' && frame.type === 'proof') recorded = frame
    return [frame]
  })
  const replayed = shake(
    new Session(config(alice, 'initiator')),
    new Session(config(bob, 'responder')),
    (frame, from) => [from === 'a' && frame.type === 'proof' ? (recorded as Frame) : frame],
  )
  t.match(replayed.b, forged, 'replayed')

  // Bob's own proof, sent back to him by one who took his hello and nonce for its own.
  const victim = new Session(config(bob, 'responder', { isMember: () => true }))
  const mirror = victim.start()
  t.match(mirror.type === 'hello' && victim.handle({ ...mirror, key: alice.key }), { kind: 'continue' })
  const own = victim.handle({ type: 'proof', signature: new Uint8Array(64).fill(1) })
  t.match(own, forged, 'made up')

  for (const change of [
    { incarnation: 6 },
    { blobsPort: 1 },
    { version: 'x' },
    { nonce: new Uint8Array(32).fill(99) },
    { key: eve.key },
  ]) {
    const result = shake(
      new Session(config(alice, 'initiator')),
      new Session(config(bob, 'responder', { isMember: () => true })),
      (frame, from) => [from === 'a' && frame.type === 'hello' ? { ...frame, ...change } : frame],
    )
    t.match(result.b, forged, Object.keys(change).join())
  }
  const sameRole = shake(new Session(config(alice, 'initiator')), new Session(config(bob, 'initiator')))
  t.match(sameRole.b, forged, 'both say that they dialled')
})

t.test('who is dialled says nothing but hello before the other side has proved that it belongs', async (t) => {
  const admission = [new Uint8Array([1, 2, 3])]
  const heard: string[] = []
  const note = (frame: Frame, from: 'a' | 'b') => {
    if (from === 'b') heard.push(frame.type)
    return [frame]
  }
  const responder = () => new Session(config(bob, 'responder', { admission }))
  t.match(shake(new Session(config(eve, 'initiator')), responder(), note).b, { reason: 'stranger' })
  shake(new Session(config(alice, 'initiator')), responder(), (frame, from) =>
    note(frame.type === 'proof' ? { ...frame, signature: new Uint8Array(64) } : frame, from),
  )
  t.same(heard.splice(0), ['hello', 'hello'])
  const results = shake(new Session(config(alice, 'initiator')), responder(), note)
  t.match(results, { a: { kind: 'authenticated' }, b: { kind: 'authenticated' } })
  t.same(heard, ['hello', 'admission', 'proof'])
})

t.test('membership is asked only when the proof is good', async (t) => {
  let asked = 0
  const isMember = () => {
    asked++
    return true
  }
  shake(new Session(config(eve, 'initiator')), new Session(config(bob, 'responder', { isMember })), (frame) => [
    frame.type === 'proof' ? { ...frame, signature: new Uint8Array(64) } : frame,
  ])
  t.equal(asked, 0)
})

t.test('a stranger comes in with what admits it', async (t) => {
  const admission = [new Uint8Array([1, 2, 3])]
  const seen: unknown[] = []
  const admits = (key: MemberKey, operations: readonly Uint8Array[]) => {
    seen.push([key, operations.length])
    return true
  }
  const results = shake(
    new Session(config(eve, 'initiator', { admission })),
    new Session(config(bob, 'responder', { admits })),
  )
  t.match(results.b, { kind: 'authenticated', peer: { key: eve.key, admission } })
  t.same(seen, [[eve.key, 1]])
  const known = shake(
    new Session(config(alice, 'initiator', { admission })),
    new Session(config(bob, 'responder', { admits })),
  )
  t.match(known.b, { kind: 'authenticated', peer: { key: alice.key, admission: [] } }, 'a member needs none')
  t.equal(seen.length, 1)
})

t.test('admission is a chain of additions from who may add', async (t) => {
  const founded = createTestCluster()
  const { creation: genesis, operator } = founded
  const id = genesis.id as string as ClusterId
  const [node, second, deployer, stranger] = [testSigner(201), testSigner(202), testSigner(203), testSigner(204)] as [
    Signer,
    Signer,
    Signer,
    Signer,
  ]
  let wallMs = 1_700_000_100_000
  const write = (author: Signer, change: Parameters<typeof createOperation>[2]['changes'][number]) =>
    createOperation(author, id, {
      stamp: { wallMs: wallMs++, counter: 0 },
      heads: [genesis.id as OperationId],
      changes: [change],
    }).bytes
  const join = (author: Signer, key: MemberKey) =>
    write(author, {
      kind: 'node.join',
      key,
      name: 'fra1',
      addresses: { ipv4: null, ipv6: null },
      place: null,
      nameserver: false,
      drained: false,
    } as Parameters<typeof write>[1])
  const add = (author: Signer, key: MemberKey, role: 'operator' | 'deployer') =>
    write(author, { kind: 'operator.add', key, name: 'x', role })
  const roles = new Map<MemberKey, Role>([[operator.key, 'operator']])
  const decide = (operations: Uint8Array[], key = node.key, removed: MemberKey[] = [], known = roles) =>
    verifyAdmission({
      cluster: id,
      key,
      operations,
      roleOf: (member) => known.get(member),
      isRemoved: (member) => removed.includes(member),
    })
  const admitted = { admitted: true }
  t.match(decide([join(operator, node.key)]), admitted, 'by an operator of the state')
  t.match(decide([add(operator, second.key, 'operator'), join(second, node.key)]), admitted, 'by one added in the list')
  t.match(decide([genesis.bytes, join(operator, node.key)], node.key, [], new Map()), admitted, 'by an empty replica')

  const reason = (operations: Uint8Array[], ...more: [MemberKey?, MemberKey[]?, Map<MemberKey, Role>?]) => {
    const result = decide(operations, ...more)
    return result.admitted ? 'admitted' : result.reason
  }
  t.match(reason([]), /no operation admits/)
  t.match(reason([join(operator, stranger.key)]), /no operation admits/)
  t.match(reason([join(stranger, node.key)]), /nobody who may admit/)
  t.match(reason([add(stranger, stranger.key, 'operator'), join(stranger, node.key)]), /nobody who may admit/)
  t.match(
    reason([add(operator, deployer.key, 'deployer'), join(deployer, node.key)]),
    /nobody/,
    'a deployer adds no node',
  )
  t.match(reason([join(operator, node.key), join(node, stranger.key)], stranger.key), /nobody/, 'a node adds nobody')
  t.match(reason([join(operator, node.key)], node.key, [node.key]), /was removed/)
  t.match(reason([join(operator, node.key)], node.key, [operator.key]), /nobody/, 'signed by a removed operator')
  t.match(
    reason([join(operator, node.key)], node.key, [], new Map()),
    /nobody/,
    'an empty replica trusts its cluster only',
  )
  const foreign = createTestCluster(1_600_000_000_000).creation.bytes
  t.match(reason([foreign, join(operator, node.key)]), /no operation of this cluster/)
  const bent = new Uint8Array(join(operator, node.key))
  bent[70] = (bent[70] as number) ^ 1
  t.match(reason([bent]), /no operation of this cluster/)
  t.match(reason([new Uint8Array(500).fill(0xdd)]), /no operation of this cluster/)
  t.match(reason(Array.from({ length: 65 }, () => join(operator, node.key))), /too long/)
})
