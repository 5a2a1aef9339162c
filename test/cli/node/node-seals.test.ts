import t from 'tap'
import { NodeSeals } from '../../../cli/node/node-seals.ts'
import {
  type CertificateName,
  createSigner,
  Emitter,
  type NodeName,
  sealPurpose,
  silentLog,
} from '../../../core/index.ts'
import { createMemoryStore, type GossipService, Replica, sealValue } from '../../../replication/index.ts'
import { cluster } from '../../replication/chain.ts'
import { FakeRuntime } from '../../replication/fake-runtime.ts'

const seed = new Uint8Array(32).fill(77)
const signer = createSigner(seed)

t.test('comparisons are bounded in a time, so that nobody guesses a value by asking', async (t) => {
  const runtime = new FakeRuntime(1)
  const store = createMemoryStore(runtime)
  await using replica = await Replica.open({ store, cluster: cluster.id, runtime, log: silentLog })
  await replica.submit([cluster.creation.bytes])
  await replica.commit(cluster.operator, [
    {
      kind: 'node.join',
      key: signer.key,
      name: 'one' as NodeName,
      addresses: { ipv4: null, ipv6: null },
      place: null,
      nameserver: false,
      drained: false,
      schema: 2,
    },
  ])
  const gossip = { events: new Emitter(), awareness: { entries: () => [] } } as unknown as GossipService
  await using seals = new NodeSeals({ replica, gossip, signer, seed, runtime, log: silentLog, changed: () => {} })
  const asking = seals.epoch()
  let isDone = false
  void asking.finally(() => {
    isDone = true
  })
  while (!isDone) {
    runtime.advance(100)
    await new Promise((resolve) => setImmediate(resolve))
  }
  const epoch = await asking
  const purpose = sealPurpose.certificate('example.com')
  const box = () => sealValue(epoch, new TextEncoder().encode('x'), { cluster: cluster.id, purpose }, runtime)
  const key = box()
  const name = 'example.com' as CertificateName
  const dates = { notBeforeMs: 0, notAfterMs: 1 }
  await replica.commit(cluster.operator, [{ kind: 'certificate.set', name, names: [name], chain: '', key, ...dates }])
  const items = (count: number) => Array.from({ length: count }, () => ({ purpose, sealed: key, value: key }))
  t.same(await seals.same([{ purpose, sealed: key, value: box() }]), [true])
  for (let i = 0; i < 24; i++) await seals.same(items(200))
  await t.rejects(seals.same(items(200)), { code: 'MAKI_TOO_LARGE', hint: /^Wait \d+ seconds/ })
  runtime.advance(20_000)
  t.same((await seals.same(items(200))).length, 200)
})
