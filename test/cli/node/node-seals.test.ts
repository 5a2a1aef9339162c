import t from 'tap'
import { NodeCertificates } from '../../../cli/node/node-certificates.ts'
import { NodeSeals } from '../../../cli/node/node-seals.ts'
import {
  type BlobHash,
  type CertificateName,
  type Change,
  createSigner,
  Emitter,
  type Hostname,
  type NodeName,
  type Sealed,
  type Signer,
  sealPurpose,
  silentLog,
} from '../../../core/index.ts'
import { signSameRequest } from '../../../edge/index.ts'
import { createMemoryStore, type GossipService, Replica, sealValue } from '../../../replication/index.ts'
import { cluster } from '../../replication/chain.ts'
import { FakeRuntime } from '../../replication/fake-runtime.ts'

const deployer = createSigner(new Uint8Array(32).fill(79))
const BLOB = 'ab'.repeat(32) as BlobHash
const envOf = (domain: string): string => sealPurpose.env(domain, 'pay.wasm', 'PIN')
const seed = new Uint8Array(32).fill(77)
const signer = createSigner(seed)

/** A node with an epoch, a certificate and two domains with a function each. */
async function open() {
  const runtime = new FakeRuntime(1)
  const store = createMemoryStore(runtime)
  const replica = await Replica.open({ store, cluster: cluster.id, runtime, log: silentLog })
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
  const gossip = {
    events: new Emitter(),
    awareness: { entries: () => [], clones: () => [] },
  } as unknown as GossipService
  const edge = { setCertificates: () => {}, setTicketKeys: () => {} }
  const { ring } = new NodeCertificates({ replica, edge, seed, self: signer.key, runtime, log: silentLog })
  const ports = { replica, gossip, signer, seed, runtime, log: silentLog, certificates: ring }
  const seals = new NodeSeals({ ...ports, edge, changed: () => {} })
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
  const seal = (purpose: string, value = 'right') =>
    sealValue(epoch, new TextEncoder().encode(value), { cluster: cluster.id, purpose }, runtime)
  const certificate = sealPurpose.certificate('example.com')
  const boxes = new Map([certificate, envOf('one.test'), envOf('two.test')].map((purpose) => [purpose, seal(purpose)]))
  const name = 'example.com' as CertificateName
  const key = boxes.get(certificate) as Sealed
  const dates = { notBeforeMs: 0, notAfterMs: 1 }
  const release = { manifest: BLOB, tree: BLOB, files: 0, bytes: 0, aliases: [] }
  await replica.commit(cluster.operator, [
    { kind: 'certificate.set', name, names: [name], chain: '', key, ...dates },
    { kind: 'operator.add', key: deployer.key, name: 'ci', role: 'deployer', domains: ['one.test' as Hostname] },
    ...['one.test', 'two.test'].map((domain): Change => {
      const env = { PIN: boxes.get(envOf(domain)) as Sealed }
      const functions = [{ path: 'pay.wasm', component: BLOB, env }]
      return { kind: 'release.publish', domain: domain as Hostname, ...release, functions }
    }),
  ])
  const ask = (by: Signer, purpose: string, values: readonly string[]) => {
    const sealed = boxes.get(purpose) as Sealed
    const items = values.map((value) => ({ purpose, sealed, value: seal(purpose, value) }))
    return seals.same(signSameRequest(by, cluster.id, items))
  }
  const close = async () => {
    await seals[Symbol.asyncDispose]()
    await replica[Symbol.asyncDispose]()
  }
  return { replica, runtime, seals, certificate, seal, ask, [Symbol.asyncDispose]: close }
}

t.test('comparisons are bounded in a time', async (t) => {
  await using node = await open()
  const { runtime, certificate } = node
  const many = Array.from({ length: 25 }, () => 'right')
  t.same(await node.ask(cluster.operator, certificate, ['right', 'wrong']), [true, false])
  for (let i = 0; i < 5000 - 25; i += 25) await node.ask(cluster.operator, certificate, many)
  await t.rejects(node.ask(cluster.operator, certificate, many), { code: 'MAKI_TOO_LARGE', hint: /^Wait \d+ seconds/ })
  runtime.advance(5_000)
  t.same(
    await node.ask(cluster.operator, certificate, many),
    many.map(() => true),
  )
})

t.test('nobody guesses a value by asking: few may be wrong, however they are asked for', async (t) => {
  await using node = await open()
  const guess = (count: number) => {
    const values = Array.from({ length: count }, (_, i) => String(i))
    return node.ask(deployer, envOf('one.test'), values)
  }
  await t.rejects(guess(31), { code: 'MAKI_TOO_LARGE', hint: /^Wait \d+ seconds/ }, 'not in one request')
  await t.rejects(guess(1), { code: 'MAKI_TOO_LARGE' }, 'nor in another')
  t.same(await node.ask(cluster.operator, envOf('two.test'), ['right']), [true], 'another value can be asked for')
  for (let hour = 1; hour <= 3; hour++) {
    node.runtime.advance(3_600_000)
    let answered = 0
    while (
      await guess(1).then(
        () => true,
        () => false,
      )
    )
      answered += 1
    t.equal(answered, 6, `in hour ${hour}`)
  }
})

t.test('only who may write a value may compare it', async (t) => {
  await using node = await open()
  const { certificate, ask } = node
  t.same(await ask(deployer, envOf('one.test'), ['right', 'wrong']), [true, false])
  t.same(await ask(deployer, envOf('two.test'), ['right']), [false], 'a domain of others')
  t.same(await ask(deployer, certificate, ['right']), [false])
  t.same(await ask(signer, certificate, ['right']), [false], 'a node has no need to ask')
  t.same(await ask(cluster.operator, certificate, ['right']), [true])
  await t.rejects(ask(createSigner(new Uint8Array(32).fill(80)), certificate, ['right']), {
    code: 'MAKI_OPERATION_REFUSED',
  })
  const items = [{ purpose: certificate, sealed: node.seal(certificate), value: node.seal(certificate) }]
  const signed = signSameRequest(cluster.operator, cluster.id, items)
  const other = node.seal(certificate, 'other')
  const forged = [
    { ...signed, author: deployer.key },
    { ...signed, items: [{ ...items[0]!, value: other }] },
    signSameRequest(cluster.operator, 'a'.repeat(52) as never, items),
  ]
  for (const request of forged) await t.rejects(node.seals.same(request), { code: 'MAKI_OPERATION_REFUSED' })
  await node.replica.commit(cluster.operator, [{ kind: 'operator.remove', key: deployer.key, how: 'retire' }])
  await t.rejects(ask(deployer, envOf('one.test'), ['right']), { code: 'MAKI_OPERATION_REFUSED' }, 'once removed')
})
