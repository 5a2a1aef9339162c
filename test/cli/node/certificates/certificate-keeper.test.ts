import { createPrivateKey } from 'node:crypto'
import t, { type Test } from 'tap'
import { CertificateKeeper } from '../../../../cli/node/certificates/certificate-keeper.ts'
import { NodeCertificates } from '../../../../cli/node/node-certificates.ts'
import { NodeSeals } from '../../../../cli/node/node-seals.ts'
import {
  createSigner,
  Emitter,
  type HostFacts,
  type Hostname,
  listAccounts,
  listChallenges,
  listExposed,
  listOrders,
  listRevocations,
  type NodeName,
  type OwnerName,
  sealPurpose,
  silentLog,
} from '../../../../core/index.ts'
import { createMemoryStore, type GossipService, Replica, sealValue } from '../../../../replication/index.ts'
import { cluster } from '../../../replication/chain.ts'
import { recordLog } from '../../../replication/fake-runtime.ts'
import { ManualRuntime } from '../../../sim/manual-runtime.ts'
import { type Answer, FakeAuthority } from '../../../support/fake-authority.ts'

/** One node that gets certificates, in a time of its own, from an authority that is a fake and does as it is told. */

// The runner of all tests bounds the file's time.
t.setTimeout(0)

const seed = new Uint8Array(32).fill(77)
const signer = createSigner(seed)
const APEX = 'shop.example' as Hostname
const DAY_MS = 24 * 3_600_000
const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const hang: Answer = () => {}

const turn = () => new Promise((resolve) => setImmediate(resolve))

interface Life {
  /** Operations that a node has before: what the one before it wrote until it was killed. */
  readonly operations?: readonly Uint8Array[]
  readonly runtime?: ManualRuntime
  readonly facts?: Omit<HostFacts, 'foundMs'>
  /** That its node says it reads. */
  readonly schema?: number
}

/** A node from its start until it is ended. */
async function live(directories: readonly string[], life: Life = {}) {
  const { runtime = new ManualRuntime(1, Date.now()) } = life
  const { facts = { pointing: 'ours', found: 'here', caa: 'none' } } = life
  const log = recordLog()
  const store = createMemoryStore(runtime)
  const replica = await Replica.open({ store, cluster: cluster.id, runtime, log: silentLog })
  if (life.operations !== undefined) await replica.submit(life.operations)
  else {
    await replica.submit([cluster.creation.bytes])
    await replica.commit(cluster.operator, [
      {
        kind: 'node.join',
        key: signer.key,
        name: 'one' as NodeName,
        addresses: { ipv4: '192.0.2.1', ipv6: null },
        place: null,
        nameserver: false,
        drained: false,
        schema: life.schema ?? 5,
      },
      { kind: 'domain.set', domain: APEX, spa: false, onConcurrent: 'latest', previews: true },
    ])
  }
  const gossip = {
    events: new Emitter(),
    awareness: { entries: () => [], clones: () => [] },
  } as unknown as GossipService
  const edge = { setCertificates: () => {}, setTicketKeys: () => {} }
  const certificates = new NodeCertificates({ replica, edge, seed, self: signer.key, runtime, log: silentLog })
  const { ring, seals: opened } = certificates
  const common = { replica, gossip, signer, seed, runtime, edge, certificates: ring }
  const seals = new NodeSeals({ ...common, log: silentLog, changed: () => {} })
  const keeper = new CertificateKeeper({
    ...common,
    settings: { directories, email: 'owner@shop.example', profile: undefined, binding: undefined, ca: undefined },
    seals: opened,
    epoch: () => seals.epoch(),
    ring,
    lookUp: async () => facts,
    checkMs: 300_000,
    version: 'test',
    log,
  })
  const count = (event: string) => log.events.filter(([word]) => word === event).length
  const isBusy = () =>
    count('certificates.duty-begun') > count('certificates.duty-ended') + count('certificates.duty-failed')
  /** Lets time pass: with what goes over sockets slowly, else in steps. */
  const pass = async (ms: number, isDone = () => false) => {
    for (const endMs = runtime.monotonic() + ms; runtime.monotonic() < endMs && !isDone(); ) {
      runtime.advance(isBusy() ? 20 : Math.min(ms > 600_000 ? 300_000 : 250, endMs - runtime.monotonic()))
      for (let i = 0; i < 20; i++) await turn()
      if (isBusy()) await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
  const operations = async () => (await replica.page(undefined, 10_000)).operations
  const end = async () => {
    await keeper[Symbol.asyncDispose]()
    await seals[Symbol.asyncDispose]()
    certificates[Symbol.dispose]()
    await replica[Symbol.asyncDispose]()
  }
  const sealed = async (purpose: string, text: string) =>
    sealValue(await seals.epoch(), new TextEncoder().encode(text), { cluster: cluster.id, purpose }, runtime)
  return { runtime, replica, ring, keeper, log, pass, count, operations, sealed, [Symbol.asyncDispose]: end }
}

const orderOf = ({ replica }: { replica: Replica }) =>
  listOrders(replica.state, APEX as never).find(({ author }) => author === signer.key)

/** What the state shows authorities. */
const shows =
  (replica: () => Replica) =>
  async ({ host, token, thumbprint }: { host: string; token: string; thumbprint: string }) =>
    listChallenges(replica().state).some(
      (one) =>
        one.host === host &&
        one.http.some((http) => http.token === token && http.authorization === `${token}.${thumbprint}`),
    )

const neverInClear = async (t: Test, node: Awaited<ReturnType<typeof live>>) => {
  const all = Buffer.concat((await node.operations()).map((bytes) => Buffer.from(bytes)))
  t.notOk(all.includes('PRIVATE KEY'), 'no private key stands in any operation')
  t.notOk(JSON.stringify(node.log.events).includes('PRIVATE KEY'), 'nor in the log')
}

t.test('a domain that leads here has a certificate, by an account that is kept', async (t) => {
  await using authority = await FakeAuthority.open()
  await using node = await live([authority.directory])
  authority.options = { look: shows(() => node.replica) }
  await node.pass(60_000, () => node.ring.all.length > 0)
  t.match(node.ring.all, [{ name: APEX, names: [APEX], directory: authority.directory }])
  t.match(orderOf(node), { phase: 'done', failures: 0 })
  t.strictSame(listChallenges(node.replica.state), [], 'what was shown is forgotten')
  t.match(
    listAccounts(node.replica.state).map(({ value }) => value),
    [{ directory: authority.directory, authorities: ['fake.test'] }],
  )
  await neverInClear(t, node)
  await node.pass(DAY_MS)
  t.equal(authority.orders.length, 1, 'nothing more is ordered in a day')
  t.strictSame(node.keeper.report, { uncovered: [], waiting: [] })
  t.strictSame(node.keeper.counts, { issued: 1, failed: 0 })
})

t.test('what changes all the time puts nothing off', async (t) => {
  await using authority = await FakeAuthority.open()
  await using node = await live([authority.directory])
  const begun = () => node.count('certificates.order-begun') > 0
  for (let i = 0; i < 100 && !begun(); i++) {
    const [values, ttl] = [[`192.0.2.${i + 1}`], 300]
    await node.replica.commit(cluster.operator, [
      { kind: 'record.set', domain: APEX, name: 'busy' as OwnerName, type: 'A', ttl, values },
    ])
    await node.pass(100)
  }
  t.ok(begun())
})

t.test('certificates that live six days are renewed before they are over, each with a new key', async (t) => {
  await using authority = await FakeAuthority.open()
  await using node = await live([authority.directory])
  const startMs = node.runtime.now()
  const sinceMs = () => node.runtime.now() - Date.now() - 3_600_000
  authority.options = {
    look: async () => {
      authority.options = { ...authority.options, sinceMs: sinceMs() }
      return true
    },
    lifeMs: 6 * DAY_MS,
  }
  const keys = new Set<string>()
  await node.pass(60_000, () => node.ring.all.length > 0)
  for (let day = 0; day < 30; day++) {
    await node.pass(DAY_MS)
    const [one] = node.ring.all
    t.ok(
      one !== undefined && one.notAfterMs > node.runtime.now() + 2 * DAY_MS,
      `day ${day}: more than two days are left`,
    )
    if (one !== undefined) keys.add(one.key)
  }
  t.equal(keys.size, authority.orders.length, 'no key is used twice')
  t.ok(authority.orders.length >= 8 && authority.orders.length <= 15, `${authority.orders.length} orders in 30 days`)
  t.ok(node.runtime.now() - startMs >= 30 * DAY_MS)
  t.equal(authority.asked.filter((one) => one === 'POST newAccount').length, 1)
})

for (const resource of ['newAccount', 'newOrder', 'authz', 'challenge', 'finalize', 'certificate']) {
  t.test(`a node that is killed while the authority is at ${resource}`, async (t) => {
    await using authority = await FakeAuthority.open()
    let present: Replica | undefined
    authority.options = { look: (asked) => shows(() => present as Replica)(asked) }
    const written: (readonly Uint8Array[])[] = []
    const runtime = new ManualRuntime(2, Date.now())
    {
      await using first = await live([authority.directory], { runtime })
      present = first.replica
      authority.instead(resource, hang)
      const before = () => authority.asked.filter((one) => one.endsWith(` ${resource}`)).length
      await first.pass(60_000, () => before() > 0)
      t.equal(before(), 1)
      // What is written from here on, the one that was killed would not have written.
      written.push(await first.operations())
      t.equal(orderOf(first)?.phase, 'open', 'that it was ordered was durable before')
    }
    authority.well(resource)
    await using second = await live([authority.directory], { runtime, operations: written[0] as Uint8Array[] })
    present = second.replica
    await second.pass(2 * 3_600_000, () => second.ring.all.length > 0)
    t.match(second.ring.all, [{ name: APEX }], 'it has a certificate')
    await second.pass(2 * 3_600_000)
    t.equal(authority.orders.length, resource === 'newAccount' || resource === 'newOrder' ? 1 : 2, 'no loop of orders')
    t.strictSame(listChallenges(second.replica.state), [], 'nothing is shown any more')
    t.match(orderOf(second), { phase: 'done' })
    const accounts = authority.asked.filter((one) => one === 'POST newAccount').length
    t.equal(accounts, resource === 'newAccount' ? 2 : 1, 'an account that was registered is used again')
    await neverInClear(t, second)
  })
}

t.test('an authority that is down for three days: a few tries, each later, and the status says so', async (t) => {
  await using authority = await FakeAuthority.open()
  await using node = await live([authority.directory])
  authority.instead('newOrder', { status: 503, body: { type: 'urn:ietf:params:acme:error:serverInternal' } })
  await node.pass(10 * 60_000, () => node.count('certificates.order-failed') > 1)
  await node.pass(1000)
  const [waiting] = node.keeper.report.waiting
  t.match(waiting, { name: APEX, code: 'back-off', reason: /failed/ })
  t.ok(waiting?.next != null && Date.parse(waiting.next) > node.runtime.now(), 'and when it is tried again')
  await node.pass(3 * DAY_MS)
  const tries = node.count('certificates.order-begun')
  t.ok(tries >= 8 && tries <= 20, `${tries} tries in three days`)
  authority.well('newOrder')
  await node.pass(DAY_MS, () => node.ring.all.length > 0)
  t.match(node.ring.all, [{ name: APEX }], 'it is well within the longest back-off')
})

t.test('another authority helps out where the wanted one is down', async (t) => {
  await using authority = await FakeAuthority.open()
  await using other = await FakeAuthority.open()
  await using node = await live([authority.directory, other.directory])
  authority.instead('newOrder', { status: 503, body: {} })
  await node.pass(DAY_MS, () => node.ring.all.length > 0)
  t.match(node.ring.all, [{ name: APEX, directory: other.directory }])
  t.equal(listAccounts(node.replica.state).length, 2, 'each has an account of its own')
})

t.test('an authority that says to be left alone for two hours is left alone', async (t) => {
  await using authority = await FakeAuthority.open()
  await using node = await live([authority.directory])
  const body = { type: 'urn:ietf:params:acme:error:rateLimited', detail: 'too many' }
  authority.instead('newOrder', { status: 429, headers: { 'retry-after': '7200' }, body }, 1)
  await node.pass(60_000, () => node.count('certificates.order-failed') > 0)
  const failedMs = node.runtime.now()
  await node.pass(1000)
  t.match(node.keeper.report.waiting, [{ name: APEX, code: 'rate-limited' }])
  await node.pass(DAY_MS, () => node.ring.all.length > 0)
  t.ok(node.runtime.now() - failedMs >= 7_200_000, 'nothing was asked before')
})

t.test('names that lead elsewhere are not ordered, and the status says where they lead', async (t) => {
  await using authority = await FakeAuthority.open()
  await using node = await live([authority.directory], {
    facts: { pointing: 'elsewhere', found: 'its addresses are 203.0.113.1', caa: 'none' },
  })
  await node.pass(3_600_000)
  t.strictSame(authority.asked, [], 'the authority hears nothing')
  t.match(node.keeper.report.uncovered, [{ name: APEX, code: 'elsewhere', reason: /203\.0\.113\.1/ }])
})

t.test('CAA records that name another authority', async (t) => {
  await using authority = await FakeAuthority.open()
  const caa = { issue: ['other.example'], issueWild: [], critical: true, at: APEX }
  await using node = await live([authority.directory], { facts: { pointing: 'ours', found: 'here', caa } })
  await node.pass(3_600_000)
  t.strictSame(authority.orders, [])
  t.match(node.keeper.report.uncovered, [{ name: APEX, code: 'caa' }])
})

t.test('a node that is stopped in an order ends what it shows, and says that it was cut off', async (t) => {
  await using authority = await FakeAuthority.open()
  authority.instead('challenge', hang)
  const node = await live([authority.directory])
  await node.pass(60_000, () => authority.asked.includes('POST challenge'))
  t.equal(listChallenges(node.replica.state).length, 1)
  await node.keeper[Symbol.asyncDispose]()
  t.strictSame(listChallenges(node.replica.state), [])
  t.match(orderOf(node), { phase: 'failed', problem: { type: 'cut-off' } })
  await node[Symbol.asyncDispose]()
})

t.test('while a node runs a version without orders nothing is ordered, and the status says why', async (t) => {
  await using authority = await FakeAuthority.open()
  await using node = await live([authority.directory], { schema: 4 })
  await node.pass(3_600_000)
  t.strictSame(authority.asked, [])
  t.match(node.keeper.report.waiting, [{ name: APEX, code: 'version', reason: /upgrade the oldest/ }])
})

/** A second machine, which is given all that nodes are given. */
async function joinOther(node: Awaited<ReturnType<typeof live>>) {
  const other = createSigner(new Uint8Array(32).fill(99))
  const addresses = { ipv4: '192.0.2.2', ipv6: null }
  const joined = { name: 'two' as NodeName, addresses, place: null, nameserver: false, drained: false, schema: 5 }
  await node.replica.commit(cluster.operator, [{ kind: 'node.join', key: other.key, ...joined }])
  await node.pass(60_000, () => node.ring.all.length > 0)
  return other
}

t.test(
  'a machine is removed that could open everything: another key, another account, the old certificates revoked',
  async (t) => {
    await using authority = await FakeAuthority.open()
    await using node = await live([authority.directory])
    const stolen = await joinOther(node)
    const [before] = node.ring.all
    // What another half of a partition ordered takes the place of it; its key is as open as that of the first.
    const { privateKey, publicKey } = await crypto.subtle.generateKey(P256, true, ['sign', 'verify'])
    const key = createPrivateKey({ key: await crypto.subtle.exportKey('jwk', privateKey), format: 'jwk' })
    const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString()
    await node.replica.commit(stolen, [
      {
        kind: 'certificate.set',
        name: APEX as never,
        names: [APEX as never],
        chain: await authority.issue(publicKey, [APEX]),
        key: await node.sealed(sealPurpose.certificate(APEX), pem),
        notBeforeMs: 1,
        notAfterMs: 2,
        directory: authority.directory,
      },
    ])
    const [other] = node.ring.all
    t.not(other?.id, before?.id)
    await node.replica.commit(cluster.operator, [{ kind: 'node.remove', key: stolen.key, how: 'revoke' }])
    const isOver = () =>
      listRevocations(node.replica.state).length === 2 &&
      listRevocations(node.replica.state).every(({ value }) => value.phase === 'done')
    await node.pass(3_600_000, isOver)
    const [after] = node.ring.all
    t.notOk([before?.key, other?.key].includes(after?.key))
    t.notSame(after?.epoch, before?.epoch)
    t.match(
      new Map(listRevocations(node.replica.state).map(({ value }) => [value.id, value])),
      new Map([before, other].map((one) => [one?.id, { phase: 'done', reason: 1 }])),
      'that which was replaced before, too',
    )
    t.equal(authority.revoked.length, 2)
    t.ok(authority.asked.includes('POST account'), 'the account was ended')
    t.equal(authority.asked.filter((one) => one === 'POST newAccount').length, 2)
    t.strictSame(listExposed(node.replica), [], 'nothing is left that the stolen machine can open')
    const orders = authority.orders.length
    await node.pass(DAY_MS)
    t.equal(authority.orders.length, orders, 'and it is over')
    t.equal(orders, 2)
    await neverInClear(t, node)
  },
)

t.test('what a stolen machine planted keeps nobody from replacing what it could open', async (t) => {
  await using authority = await FakeAuthority.open()
  await using stranger = await FakeAuthority.open()
  stranger.instead('directory', { body: 'hello' })
  await using node = await live([authority.directory])
  const stolen = await joinOther(node)
  const { key } = JSON.parse(JSON.stringify(node.ring.all[0]))
  const account = async (directory: string, url: string, pem: string) => ({
    kind: 'certificate.account' as const,
    directory,
    account: await node.sealed(sealPurpose.account(directory), JSON.stringify({ url, key: pem })),
    authorities: ['stranger.example' as Hostname],
  })
  const challenges = Array.from({ length: 150 }, (_, i) => ({
    kind: 'challenge.set' as const,
    host: `h${i}.shop.example` as Hostname,
    http: [],
    dns: ['x'.repeat(43)],
    untilMs: node.runtime.now() + 300 * DAY_MS,
  }))
  await node.replica.commit(stolen, challenges)
  await node.replica.commit(stolen, [
    await account(authority.directory, `${authority.directory}/nowhere`, 'no key'),
    ...(await Promise.all(
      Array.from({ length: 5 }, (_, i) => account(`${stranger.directory}?${i}`, `${stranger.directory}/x`, key)),
    )),
    {
      kind: 'certificate.revoke',
      id: 'a'.repeat(52) as never,
      name: APEX as never,
      certificate: 'no certificate',
      key: await node.sealed(sealPurpose.certificate(APEX), 'no key'),
      directory: stranger.directory,
      reason: 1,
      phase: 'due',
    },
  ])
  const [before] = node.ring.all
  await node.replica.commit(cluster.operator, [{ kind: 'node.remove', key: stolen.key, how: 'revoke' }])
  await node.pass(60_000, () => node.ring.all[0]?.key !== before?.key)
  t.not(node.ring.all[0]?.key, before?.key, 'the certificate goes first')
  await node.pass(DAY_MS / 4, () => listExposed(node.replica).length === 0)
  t.strictSame(listExposed(node.replica), [])
  await node.pass(60_000)
  t.strictSame(listChallenges(node.replica.state), [])
  const accounts = listAccounts(node.replica.state).map(({ value }) => value)
  t.equal(accounts.length, 6)
  t.strictSame(
    accounts.flatMap(({ authorities }) => authorities ?? []),
    ['fake.test'],
    'zones say again what they should',
  )
  t.match(
    listRevocations(node.replica.state)
      .map(({ value }) => [value.phase, value.detail ?? ''])
      .sort(),
    [
      ['done', ''],
      ['given-up', /another certificate/],
    ],
  )
  t.equal(stranger.asked.includes('POST newAccount'), false, 'nobody begins an account where nobody told them to')
})

t.test('an account that was ended elsewhere is replaced', async (t) => {
  await using authority = await FakeAuthority.open()
  await using node = await live([authority.directory])
  await node.pass(60_000, () => node.ring.all.length > 0)
  authority.endAccount(0)
  await node.replica.commit(cluster.operator, [{ kind: 'certificate.remove', name: APEX as never }])
  await node.pass(DAY_MS, () => node.ring.all.length > 0)
  t.equal(node.ring.all.length, 1)
  t.equal(authority.asked.filter((one) => one === 'POST newAccount').length, 2)
  t.match(orderOf(node), { phase: 'done', failures: 0 })
})

t.test('an authority that will not revoke is not asked for ever', async (t) => {
  await using authority = await FakeAuthority.open()
  const body = { type: 'urn:ietf:params:acme:error:unauthorized', detail: 'not yours' }
  authority.instead('revokeCert', { status: 403, body })
  await using node = await live([authority.directory])
  const stolen = await joinOther(node)
  await node.replica.commit(cluster.operator, [{ kind: 'node.remove', key: stolen.key, how: 'revoke' }])
  await node.pass(DAY_MS)
  const [revocation] = listRevocations(node.replica.state).map(({ value }) => value)
  t.match(revocation, { phase: 'given-up', detail: /not yours/ })
  t.equal(authority.asked.filter((one) => one === 'POST revokeCert').length, 1)
})
