import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { type CertificateName, type Change, encodeBase32, type SealEpochKey, silentLog } from '../../../core/index.ts'
import { CertificateRing, type SealOpener } from '../../../replication/seals/index.ts'
import { CertificateMaker, type MadeCertificate } from '../../support/certificate-maker.ts'
import { World } from './seal-world.ts'

const EPOCH = encodeBase32(new Uint8Array(32).fill(9)) as unknown as SealEpochKey
/** What is sealed is as clear as can be: here only who opens what counts. */
const opener: SealOpener = { holds: () => true, open: (_purpose, { box }) => Buffer.from(box, 'base64url') }
const name = 'example.com' as CertificateName

const say = ({ chain, key }: Pick<MadeCertificate, 'chain' | 'key'>): Change => ({
  kind: 'certificate.set',
  name,
  names: [name],
  chain,
  key: { epoch: EPOCH, box: Buffer.from(key).toString('base64url') },
  // Said, not signed: nobody believes it.
  notBeforeMs: 5,
  notAfterMs: 6,
  directory: 'https://authority.test/directory',
})

const rings = (world: World, clock: { nowMs: number }, replica = world.nodes[0]!.replica) => {
  const errors: string[] = []
  const log = { ...silentLog, error: (event: string) => errors.push(event) }
  const ring = new CertificateRing({ opener, runtime: { now: () => clock.nowMs }, log, frontier: replica.frontier })
  ring.refresh(replica.state)
  return { ring, errors }
}

t.test('dates, names and the id are those of the chain', async (t) => {
  await using world = new World(1)
  using maker = new CertificateMaker()
  const { replica } = world.add(1)
  const made = maker.make(['example.com', '*.example.com'])
  const leaf = new X509Certificate(made.chain)
  replica.write(world.cluster.operator, [say(made)])
  const { ring } = rings(world, { nowMs: leaf.validFromDate.getTime() })
  const held = ring.held(replica).get(name)
  t.same(held, {
    name,
    names: ['*.example.com', 'example.com'],
    id: encodeBase32(Buffer.from(leaf.fingerprint256.replaceAll(':', ''), 'hex')),
    notBeforeMs: leaf.validFromDate.getTime(),
    notAfterMs: leaf.validToDate.getTime(),
    directory: 'https://authority.test/directory',
    exposed: true,
  })
  t.equal(ring.find('www.example.com')?.id, held?.id)
})

t.test('a newer one that cannot be served leaves the last good one', async (t) => {
  await using world = new World(2)
  using maker = new CertificateMaker()
  const { replica } = world.add(1)
  const [first, second, third] = [maker.make([name]), maker.make([name]), maker.make([name])]
  const clock = { nowMs: new X509Certificate(first.chain).validFromDate.getTime() + 3_600_000 }
  replica.write(world.cluster.operator, [say(first)])
  const { ring, errors } = rings(world, clock)
  const put = (change: Change) => {
    replica.write(world.cluster.operator, [change])
    ring.refresh(replica.state)
  }
  let changes = 0
  ring.events.on('change', () => changes++)
  put(say({ chain: second.chain, key: first.key }))
  put(say({ chain: 'no chain', key: second.key }))
  ring.refresh(replica.state)
  t.equal(ring.find(name)?.key, first.key)
  t.same([errors.length, changes, ring.counts], [2, 0, { open: 1, unusable: 1 }], 'each is told of once')
  put(say(third))
  t.equal(ring.find(name)?.key, third.key)
  t.same(ring.counts, { open: 1, unusable: 0 })
  put({ kind: 'certificate.remove', name })
  t.equal(ring.find(name), undefined)
  t.same(ring.all, [])
})

t.test(
  'of two halves the later wins; one that is of no use gives way to the other, also after a restart',
  async (t) => {
    await using world = new World(3)
    using maker = new CertificateMaker()
    const a = world.add(1)
    const b = world.add(2, a)
    const [left, right] = [maker.make([name]), maker.make([name])]
    const clock = { nowMs: new X509Certificate(left.chain).validFromDate.getTime() + 3_600_000 }
    b.side = 1
    a.replica.write(a.signer, [say(left)])
    world.runtime.advance(1000)
    b.replica.write(b.signer, [say(right)])
    b.side = 0
    world.gossip()
    for (const { replica } of world.nodes) t.equal(rings(world, clock, replica).ring.find(name)?.key, right.key)

    b.side = 1
    world.runtime.advance(1000)
    a.replica.write(a.signer, [say(right)])
    world.runtime.advance(1000)
    b.replica.write(b.signer, [say({ chain: left.chain, key: right.key })])
    b.side = 0
    world.gossip()
    for (const { replica } of world.nodes) {
      const { ring } = rings(world, clock, replica)
      t.equal(ring.find(name)?.key, right.key)
      t.same(ring.counts, { open: 1, unusable: 1 })
    }
  },
)

t.test('one that is not valid yet, or any more, gives way to one that is', async (t) => {
  await using world = new World(4)
  using maker = new CertificateMaker()
  const { replica } = world.add(1)
  const [exact, wild] = [maker.make([name, 'www.example.com']), maker.make(['*.example.com'])]
  replica.write(world.cluster.operator, [say(exact)])
  replica.write(world.cluster.operator, [{ ...say(wild), name: '*.example.com' as CertificateName } as Change])
  const leaf = new X509Certificate(exact.chain)
  const clock = { nowMs: leaf.validFromDate.getTime() + 60_000 }
  const { ring } = rings(world, clock)
  t.equal(ring.find('www.example.com')?.name, name, 'the very name goes first')
  clock.nowMs = leaf.validToDate.getTime() + 86_400_000
  ring.refresh(replica.state)
  t.ok(ring.find('www.example.com') !== undefined, 'with none that is valid one is served all the same')
})

t.test('one whose key others may know gives way where there is another, however long it lasts', async (t) => {
  await using world = new World(3)
  using maker = new CertificateMaker()
  const { replica } = world.add(1)
  const SAFE = encodeBase32(new Uint8Array(32).fill(8)) as unknown as SealEpochKey
  const www = 'www.example.com' as CertificateName
  const [fresh, wide, last] = [maker.make([name]), maker.make([name, www]), maker.make([www])]
  let safe: ReadonlySet<SealEpochKey> = new Set([EPOCH, SAFE])
  const nowMs = new X509Certificate(last.chain).validFromDate.getTime() + 3_600_000
  const ring = new CertificateRing({ opener, runtime: { now: () => nowMs }, log: silentLog, safe: () => safe })
  const put = (made: MadeCertificate, at: CertificateName, epoch: SealEpochKey) => {
    const change = say(made) as Extract<Change, { kind: 'certificate.set' }>
    replica.write(world.cluster.operator, [{ ...change, name: at, key: { ...change.key, epoch } }])
    ring.refresh(replica.state)
  }
  const served = () => Object.fromEntries(ring.served.map(({ key, names }) => [key, names]))
  put(wide, www, EPOCH)
  put(fresh, name, SAFE)
  t.same(served(), { [wide.key]: [name, www], [fresh.key]: [name] })
  let changes = 0
  ring.events.on('change', () => changes++)
  safe = new Set([SAFE])
  ring.refresh(replica.state)
  t.equal(changes, 1, 'whoever serves is told')
  t.same(served(), { [wide.key]: [www], [fresh.key]: [name] }, 'its other name has nothing else')
  t.equal(ring.find(name)?.key, fresh.key)
  t.equal(ring.find(www)?.key, wide.key)
  t.equal(ring.all.length, 2)
  ring.refresh(replica.state)
  t.equal(changes, 1)
  put(last, '*.www.example.com' as CertificateName, SAFE)
  t.equal(ring.find(www)?.key, wide.key, 'one that is said to be for a name that it does not have is none')
  put(last, www, SAFE)
  t.same(served(), { [last.key]: [www], [fresh.key]: [name] })
})
