import t from 'tap'
import type { MemberKey } from '../../../core/index.ts'
import { encodeSyncMessage } from '../../../replication/gossip/sync-message.ts'
import { encodeFrame } from '../../../replication/gossip/wire.ts'
import { startTestNode } from '../../sim/gossip-cluster.ts'
import { ManualRuntime, until } from '../../sim/manual-runtime.ts'
import { RawPeer } from '../../sim/raw-peer.ts'
import { testSigner } from '../../support/histories.ts'

t.test('a member that repeats itself without end loses its link, and is named', async (t) => {
  const runtime = new ManualRuntime(1)
  const flooder = testSigner(9)
  const members = new Set<MemberKey>([1, 2, 9].map((number) => testSigner(number).key))
  await using a = await startTestNode(1, runtime, members)
  await using b = await startTestNode(2, runtime, members, { bootstrap: [a.address] })
  await until(runtime, () => a.service.peers().length === 1)
  a.replica.commit('known to all')
  const [update] = a.replica.diffNow(new Uint8Array([0]))
  const framed = encodeFrame({
    type: 'sync',
    message: encodeSyncMessage({ kind: 'update', update: update as Uint8Array }),
  })
  const chunk = Buffer.concat(Array.from({ length: 500 }, () => framed))
  using peer = new RawPeer(a.address)
  peer.greet(flooder)
  await until(runtime, () => a.service.peers().length === 2)
  const state = a.replica.stateVector()
  for (let sent = 0; sent < 40_000 && !peer.closed; sent += 500) {
    if (!peer.socket.write(chunk)) await until(runtime, () => peer.closed || peer.socket.writableLength === 0)
  }
  await until(runtime, () => peer.closed)
  t.equal(peer.bye, 'flood')
  t.match(a.drops.at(-1), { reason: 'flood', key: flooder.key })
  t.ok(a.log.some(({ event, data }) => event === 'link.closed' && data?.key === flooder.key))
  t.same(a.replica.stateVector(), state)
  const id = b.replica.commit('heard all the same')
  await until(runtime, () => a.has(id))
})
