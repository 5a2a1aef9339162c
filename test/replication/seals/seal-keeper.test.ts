import t from 'tap'
import {
  type CertificateName,
  type ClusterId,
  createSigner,
  findSealEpoch,
  listSealEpochs,
  type Sealed,
  sealPurpose,
} from '../../../core/index.ts'
import { CertificateRing, createEpoch, sealGrant, sealValue } from '../../../replication/seals/index.ts'
import * as pem from '../../support/certificates.ts'
import { nodeJoin, seedOf, World } from './seal-world.ts'

const PURPOSE = sealPurpose.certificate('example.com')
/** Another text for the same bytes: 304 bytes leave bits of the last character unused. */
const respell = (box: string): string => {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return box.slice(0, -1) + letters[letters.indexOf(box.at(-1) as string) + 1]
}
const bytes = (text: string) => new TextEncoder().encode(text)

const certificate = (key: Sealed) => ({
  kind: 'certificate.set' as const,
  name: 'example.com' as CertificateName,
  names: ['example.com' as CertificateName],
  chain: '',
  key,
  notBeforeMs: 0,
  notAfterMs: 1,
})

t.test('one node begins an epoch, all open it, and a node that joins later too', async (t) => {
  await using world = new World(1)
  const first = world.add(10)
  for (const number of [11, 12]) world.add(number, first)
  world.gossip()
  await world.pass(1000)
  const epochs = new Set(world.nodes.map(({ keeper }) => keeper.present()))
  t.equal(epochs.size, 1)
  t.equal(first.replica.state.ids('seal').length, 1, 'nobody did it twice')
  const late = world.add(13, first)
  await world.pass(2000)
  t.ok(late.keeper.holds(late.keeper.present()!))
  t.equal(first.replica.state.ids('seal').length, 1, 'a join needs no new epoch')
})

t.test('what is sealed opens where it belongs and nowhere else', async (t) => {
  await using world = new World(2)
  const node = world.add(10)
  const epoch = await Promise.all([node.keeper.ensureEpoch(), world.pass(1000)]).then(([one]) => one)
  const place = { cluster: node.replica.cluster, purpose: PURPOSE }
  const sealed = sealValue(epoch, bytes('secret'), place, world.runtime)
  t.equal(new TextDecoder().decode(node.keeper.open(PURPOSE, sealed)), 'secret')
  t.throws(() => node.keeper.open(sealPurpose.certificate('example.org'), sealed), { code: 'MAKI_INVALID' })
  const foreign = sealValue(createEpoch(world.runtime).epoch, bytes('secret'), place, world.runtime)
  t.throws(() => node.keeper.open(PURPOSE, foreign), { code: 'MAKI_NOT_FOUND' })
  const spelled = { epoch, box: respell(sealed.box) }
  t.same(Buffer.from(spelled.box, 'base64url'), Buffer.from(sealed.box, 'base64url'))
  t.throws(() => node.keeper.open(PURPOSE, spelled), { code: 'MAKI_INVALID' }, 'a box has one spelling')
  const elsewhere = { cluster: 'b'.repeat(51).concat('a') as ClusterId, purpose: PURPOSE }
  const copied = sealValue(epoch, bytes('secret'), elsewhere, world.runtime)
  t.throws(() => node.keeper.open(PURPOSE, copied), { code: 'MAKI_INVALID' }, 'of another cluster')

  const again = (text: string, purpose = PURPOSE) => sealValue(epoch, bytes(text), { ...place, purpose }, world.runtime)
  const items = [
    { purpose: PURPOSE, sealed, value: again('secret') },
    { purpose: PURPOSE, sealed, value: again('other') },
    { purpose: PURPOSE, sealed, value: again('secret', 'env a b c') },
    { purpose: 'env a b c', sealed, value: again('secret', 'env a b c') },
    { purpose: PURPOSE, sealed: again('secret'), value: again('secret') },
  ]
  const nothing = Array.from({ length: 5 }, () => undefined)
  t.same(
    node.keeper.same(items, () => true),
    nothing,
    'nothing of it is in the state',
  )
  node.replica.write(world.cluster.operator, [certificate(sealed)])
  const answers = node.keeper.same(items, () => true)
  t.strictSame(answers, [true, false, false, undefined, undefined])
  t.same(
    node.keeper.same(items, () => false),
    nothing,
    'nor is it opened for who may not ask',
  )
})

t.test('after a removal a new epoch is begun, and values of the old one can still be opened', async (t) => {
  await using world = new World(3)
  const nodes = [world.add(10)]
  for (const number of [11, 12]) nodes.push(world.add(number, nodes[0]))
  world.gossip()
  await world.pass(1000)
  const [a, b, c] = nodes as [(typeof nodes)[0], (typeof nodes)[0], (typeof nodes)[0]]
  const before = a.keeper.present()!
  const sealed = sealValue(before, bytes('x'), { cluster: a.replica.cluster, purpose: PURPOSE }, world.runtime)
  a.replica.write(world.cluster.operator, [certificate(sealed)])
  a.replica.write(world.cluster.operator, [{ kind: 'node.remove', key: c.signer.key, how: 'revoke' }])
  t.equal(a.keeper.present(), undefined)
  world.gossip()
  await world.pass(2000)
  const after = a.keeper.present()!
  t.not(after, before)
  t.ok(b.keeper.holds(after) && !c.keeper.holds(after))
  const late = world.add(14, a)
  await world.pass(2000)
  t.equal(new TextDecoder().decode(late.keeper.open(PURPOSE, sealed)), 'x')
})

t.test('a node that announces the epoch of another hides nobody who announced it before', async (t) => {
  await using world = new World(7)
  const nodes = [world.add(10)]
  for (const number of [11, 12]) nodes.push(world.add(number, nodes[0]))
  world.gossip()
  await world.pass(1000)
  const [a, removed, colluding] = nodes as [(typeof nodes)[0], (typeof nodes)[0], (typeof nodes)[0]]
  const secret = createEpoch(world.runtime)
  const grants = [a, colluding].map(({ signer: { key: node } }) => {
    const box = sealGrant(secret, node, world.cluster.id, world.runtime)
    return { kind: 'seal.grant' as const, epoch: secret.epoch, node, box }
  })
  a.replica.write(removed.signer, [{ kind: 'seal.epoch', epoch: secret.epoch }])
  a.replica.write(world.cluster.operator, [{ kind: 'node.remove', key: removed.signer.key, how: 'revoke' }])
  a.replica.write(colluding.signer, [{ kind: 'seal.epoch', epoch: secret.epoch }, ...grants])
  t.equal(findSealEpoch(a.replica), undefined)
  world.gossip()
  await world.pass(3000)
  const present = a.keeper.present()
  t.ok(present !== undefined && present !== secret.epoch)
  // The epoch of an honest node from before the removal does not become one from after it.
  const [before] = listSealEpochs(a.replica.state).filter(({ key }) => key !== secret.epoch && key !== present)
  t.ok(before !== undefined)
  a.replica.write(colluding.signer, [{ kind: 'seal.epoch', epoch: before!.key }])
  t.equal(a.keeper.present(), present)
})

for (const kind of ['garbage', 'the key of another epoch'] as const) {
  t.test(`a grant of ${kind} counts as none, and is given again by another`, async (t) => {
    await using world = new World(4)
    const a = world.add(10)
    world.add(11, a)
    world.gossip()
    await world.pass(1000)
    const epoch = a.keeper.present()!
    // A stolen key of the first node grants before anybody else can.
    const at = world.nodes[1]!
    const { key } = createSigner(seedOf(12))
    const another = sealGrant({ ...createEpoch(world.runtime), epoch }, key, world.cluster.id, world.runtime)
    at.replica.write(world.cluster.operator, [nodeJoin(key, 'node12')])
    at.replica.write(a.signer, [{ kind: 'seal.grant', epoch, node: key, box: kind === 'garbage' ? 'AAAA' : another }])
    const late = world.add(12, at)
    t.same(late.keeper.lacks, [epoch])
    await world.pass(5000)
    t.ok(late.keeper.holds(epoch))
    t.equal(late.keeper.present(), epoch)
    t.equal(late.keeper.counts.grantsRefused, 1)
  })
}

t.test('a node that nobody can help begins an epoch for all', async (t) => {
  await using world = new World(6)
  const a = world.add(10)
  await world.pass(1000)
  const before = a.keeper.present()!
  // The only other one that holds it is away for good.
  const b = world.add(11, a)
  a.side = 1
  await world.pass(20_000, 1000)
  t.equal(b.keeper.present(), before)
  t.notOk(b.keeper.holds(before))
  await world.pass(100_000, 1000)
  const after = b.keeper.present()!
  t.not(after, before)
  t.ok(b.keeper.holds(after))
  a.side = 0
  world.gossip()
  await world.pass(5000)
  t.ok(a.keeper.holds(after))
})

t.test('who spoils every epoch with a stolen key makes the others write only so much', async (t) => {
  await using world = new World(8)
  const a = world.add(10)
  const stolen = world.add(11, a)
  world.gossip()
  await world.pass(1000)
  const thief = createSigner(seedOf(200))
  let spoiled = 0
  for (let second = 0; second < 300; second++) {
    const present = a.keeper.present()
    if (present !== undefined) {
      spoiled += 1
      a.replica.write(stolen.signer, [{ kind: 'seal.grant', epoch: present, node: thief.key, box: 'AAAA' }])
    }
    await world.pass(1000, 1000)
  }
  t.ok(spoiled >= 10, `${spoiled} times`)
  t.ok(a.replica.state.ids('seal').length <= 20, 'ten each')
  a.replica.write(world.cluster.operator, [{ kind: 'node.remove', key: stolen.signer.key, how: 'revoke' }])
  await world.pass(600_000, 10_000)
  t.ok(a.keeper.present() !== undefined, 'once its key is revoked all is well')
})

t.test('certificates are opened, checked, and found by host', async (t) => {
  await using world = new World(5)
  const node = world.add(10)
  const { replica } = node
  const errors: string[] = []
  const log = { debug() {}, info() {}, warn() {}, error: (event: string) => errors.push(event) }
  const ring = new CertificateRing({ opener: node.keeper, runtime: world.runtime, log })
  const changes: string[][] = []
  ring.events.on('change', ({ names }) => changes.push([...names]))
  const epoch = await Promise.all([node.keeper.ensureEpoch(), world.pass(1000)]).then(([one]) => one)
  const put = (name: string, names: readonly string[], chain: string, key: string, notAfterMs = 1) => {
    const purpose = sealPurpose.certificate(name)
    const sealed = sealValue(epoch, bytes(key), { cluster: replica.cluster, purpose }, world.runtime)
    const change = { ...certificate(sealed), name: name as CertificateName, names: names as CertificateName[] }
    replica.write(world.cluster.operator, [{ ...change, chain, notAfterMs }])
    ring.refresh(replica.state)
  }
  put('example.com', ['*.example.com', 'example.com'], pem.LEAF + pem.INTERMEDIATE, pem.LEAF_KEY)
  t.equal(ring.find('example.com')?.key, pem.LEAF_KEY)
  t.equal(ring.find('www.example.com')?.name, 'example.com')
  for (const host of ['a.b.example.com', 'example.org', 'com', '']) t.equal(ring.find(host), undefined, host)
  put('*.example.com', ['*.example.com'], pem.LEAF, pem.LEAF_KEY, 2)
  t.equal(ring.find('example.com')?.name, 'example.com')
  ring.refresh(replica.state)
  t.same(changes, [['example.com'], ['*.example.com']], 'what did not change is not opened again')

  put('other.example', ['other.example'], pem.OTHER, pem.LEAF_KEY)
  put('stolen.example', ['stolen.example'], pem.OTHER, pem.OTHER_KEY)
  put('junk.example', ['junk.example'], 'no chain', 'no key')
  t.same(errors, ['certificate.unusable', 'certificate.unusable', 'certificate.unusable'])
  t.same(ring.counts, { open: 2, unusable: 3 })
  t.equal(ring.find('other.example') ?? ring.find('stolen.example') ?? ring.find('junk.example'), undefined)
  replica.write(world.cluster.operator, [{ kind: 'certificate.remove', name: 'example.com' as CertificateName }])
  ring.refresh(replica.state)
  t.equal(ring.find('example.com')?.name, '*.example.com', 'whose chain has that name too')
})
