import { createHash } from 'node:crypto'
import t from 'tap'
import {
  type Change,
  type ClusterId,
  createOperation,
  decodeMessage,
  decodeOperation,
  encodeCanonical,
  type Hostname,
  idBytes,
  keys,
  MAX_HEADS,
  MAX_OPERATION_BYTES,
  nextStamp,
  operationIdOf,
  SIGNATURE_BYTES,
  type Signer,
} from '../../../core/index.ts'
import { compileEffects } from '../../../core/state/effects.ts'
import { createTestCluster, randomChange, testSigner } from '../../support/histories.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const cluster = createTestCluster()
const apex = 'example.com' as Hostname
const setDomain = { kind: 'domain.set', domain: apex, spa: false, onConcurrent: 'latest', previews: true } as const
const invalid = { code: 'MAKI_OPERATION_INVALID' }

function write(changes: readonly Change[], signer: Signer = cluster.operator, id: ClusterId = cluster.id) {
  const stamp = nextStamp(0, [cluster.creation.stamp])
  return createOperation(signer, id, { stamp, heads: [cluster.creation.id], changes, message: 'why' })
}

/** Signs any body, so that a test can show what a member with a changed program could send. */
function signBody(body: unknown, signer: Signer = cluster.operator): Uint8Array {
  return signBytes(encodeCanonical(body), signer)
}
function signBytes(body: Uint8Array, signer: Signer = cluster.operator): Uint8Array {
  const context = new TextEncoder().encode('makiatto operation 1\0')
  const signature = signer.sign(Buffer.concat([context, idBytes(cluster.id), body]))
  return new Uint8Array(Buffer.concat([signature, body]))
}
const validBody = () => decodeMessage(write([setDomain]).bytes.subarray(SIGNATURE_BYTES)) as unknown[]

for (const seed of seeds(50)) {
  t.test(`what is made is read back equal, and every flipped bit is noticed (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const signers = [testSigner(10), testSigner(11)]
    const operation = write(Array.from({ length: 1 + random.integer(4) }, () => randomChange(random, signers)))
    t.same(decodeOperation(operation.bytes, cluster.id), operation)
    t.equal(operationIdOf(operation.bytes, cluster.id), operation.id)
    for (let i = 0; i < 40; i++) {
      const bytes = Uint8Array.from(operation.bytes)
      const at = random.integer(bytes.length)
      bytes[at] = (bytes[at] as number) ^ (1 << random.integer(8))
      t.throws(() => decodeOperation(bytes, cluster.id), invalid)
    }
  })
}

t.test('the id is the hash of what is signed, without the signature', async (t) => {
  const operation = write([setDomain])
  const context = new TextEncoder().encode('makiatto operation 1\0')
  const signed = Buffer.concat([context, idBytes(cluster.id), operation.bytes.subarray(SIGNATURE_BYTES)])
  t.same(Buffer.from(idBytes(operation.id)), createHash('sha256').update(signed).digest())
})

t.test('an operation of one cluster is none of another', async (t) => {
  const other = createTestCluster(1_600_000_000_000)
  t.throws(() => decodeOperation(write([setDomain]).bytes, other.id), invalid)
  t.throws(() => decodeOperation(other.creation.bytes, cluster.id), invalid)
  t.throws(() => decodeOperation(write([setDomain]).bytes, undefined), invalid)
  t.equal(decodeOperation(other.creation.bytes, undefined).id as string, other.id)
})

t.test('hostile envelopes are refused', async (t) => {
  const cases: [string, Uint8Array][] = [
    ['empty', new Uint8Array()],
    ['a signature alone', new Uint8Array(SIGNATURE_BYTES)],
    ['no MessagePack', signBytes(Uint8Array.of(0xc1))],
    ['a map', signBody({ a: 1 })],
    ['bytes behind the end', signBytes(new Uint8Array([...encodeCanonical(validBody()), 0]))],
    [
      'an integer in a longer form',
      signBytes(replaceFirst(encodeCanonical(validBody()), [0x97, 0x01], [0x97, 0xcc, 0x01])),
    ],
    ['a float as schema', signBody(validBody().with(4, 1.5))],
    ['schema 0', signBody(validBody().with(4, 0))],
    ['another format', signBody(validBody().with(0, 2))],
    ['a short author', signBody(validBody().with(1, new Uint8Array(31)))],
    ['a negative stamp', signBody(validBody().with(2, [-1, 0]))],
    ['a stamp beyond the calendar', signBody(validBody().with(2, [8_640_000_000_000_001, 0]))],
    ['no heads, but another cluster', signBody(validBody().with(3, []))],
    ['heads twice', signBody(validBody().with(3, [idBytes(cluster.id), idBytes(cluster.id)]))],
    [
      '17 heads',
      signBody(
        validBody().with(
          3,
          Array.from({ length: MAX_HEADS + 1 }, (_, i) => new Uint8Array(32).fill(i)),
        ),
      ),
    ],
    ['no changes', signBody(validBody().with(5, []))],
    ['a long message', signBody(validBody().with(6, 'x'.repeat(2001)))],
    ['too large', signBody(validBody().with(6, 'x'.repeat(MAX_OPERATION_BYTES)))],
    ['deep nesting', signBytes(deepNesting())],
    ['another signer', signBody(validBody(), testSigner(9))],
  ]
  for (const [name, bytes] of cases) t.throws(() => decodeOperation(bytes, cluster.id), invalid, name)
})

function replaceFirst(bytes: Uint8Array, from: number[], to: number[]): Uint8Array {
  const at = Buffer.from(bytes).indexOf(Buffer.from(from))
  return new Uint8Array([...bytes.subarray(0, at), ...to, ...bytes.subarray(at + from.length)])
}

function deepNesting(): Uint8Array {
  const nested = new Uint8Array(200_001).fill(0x91)
  nested[200_000] = 0xc0
  const body = encodeCanonical(validBody().with(5, ['PLACE']))
  return replaceFirst(body, [...encodeCanonical('PLACE')], [...nested])
}

t.test('changes that cannot be read make no difference to the set', async (t) => {
  const newer = decodeOperation(signBody(validBody().with(4, 99)), cluster.id)
  t.same([newer.changes, newer.defect], [[], { kind: 'newer-schema', schema: 99 }])
  const strange: unknown[] = [
    { kind: 'domain.explode' },
    { ...setDomain, extra: 1 },
    { ...setDomain, domain: 'Example.com' },
    { ...setDomain, domain: '../etc' },
    { ...setDomain, via: '' },
    {
      kind: 'node.update',
      key: testSigner(1).key,
      set: { addresses: { ipv4: null, ipv6: 'fe80::1%eth0' } },
    },
    { kind: 'cluster.create', name: 'x', recovery: testSigner(1).key, operator: { key: testSigner(2).key, name: 'y' } },
    'text',
    null,
  ]
  for (const change of strange) {
    const operation = decodeOperation(signBody(validBody().with(5, [setDomain, change])), cluster.id)
    t.same(operation.changes, [])
    t.match(operation.defect, { kind: 'malformed-change', index: 1 }, JSON.stringify(change))
  }
})

t.test('too large and too many heads are refused before signing', async (t) => {
  const values = Array.from({ length: 6 }, () => 'x'.repeat(200_000))
  const record = { kind: 'record.set', domain: apex, name: '@', type: 'TXT', ttl: 1, values } as unknown as Change
  t.throws(() => write([record]), { code: 'MAKI_TOO_LARGE' })
})

t.test('the last change of an operation that touches a key decides', async (t) => {
  const record = {
    kind: 'record.set',
    domain: apex,
    name: 'www',
    type: 'A',
    ttl: 1,
    values: ['192.0.2.1'],
  } as unknown as Change
  const remove: Change = { kind: 'domain.remove', domain: apex }
  const stamp = { wallMs: 1, counter: 0 }
  const key = keys.record(apex, 'www' as never, 'A')
  t.equal(
    compileEffects({ author: cluster.operator.key, stamp, changes: [record, remove] }).keys.get(key)?.value,
    undefined,
  )
  t.ok(compileEffects({ author: cluster.operator.key, stamp, changes: [remove, record] }).keys.get(key)?.value)
})

t.test('the bytes of the format, for ever', async (t) => {
  // Golden: a change here breaks every stored cluster.
  t.equal(cluster.creation.id, 'qp2rhgbgq3i6la5zsw2q4t3iinedshuhw4m3bxf64byg4feko3qa')
  t.equal(write([setDomain]).id, 'unbqy4xax72wkdgkyguv6wgovx3tliqbhsxwlfdwsehriyipk33a')
})
