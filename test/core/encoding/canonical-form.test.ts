import t from 'tap'
import { isPlainlyCanonical } from '../../../core/encoding/canonical-form.ts'
import { decodeMessage, encodeCanonical, isEncodingOf, SIGNATURE_BYTES } from '../../../core/index.ts'
import { createTestCluster, randomHistory } from '../../support/histories.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

const INTEGERS = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, 2 ** 53 - 1, 2 ** 53]
const LENGTHS = [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536]

function randomValue(random: Random, depth: number): unknown {
  switch (random.integer(depth === 0 ? 6 : 8)) {
    case 0:
      return random.pick(INTEGERS) * random.pick([1, 1, -1])
    case 1:
      return random.pick([null, true, false, 0.5, Number.NaN, -0])
    case 2:
      return random.pick(['x', 'é', '\u{1f600}']).repeat(random.pick(LENGTHS.slice(0, 8)))
    case 3:
      return random.bytes(random.pick(LENGTHS.slice(0, 8)))
    case 4:
    case 5:
      return random.integer(2 ** 32)
    case 6:
      return Array.from({ length: random.integer(20) }, () => randomValue(random, depth - 1))
    default:
      return Object.fromEntries(
        Array.from({ length: random.integer(20) }, () => [
          random.pick(['a', 'b', 'kind', 'é', '1', '10', 'x'.repeat(40)]) + random.integer(4),
          randomValue(random, depth - 1),
        ]),
      )
  }
}

/** Other spellings of heads, swapped and dropped bytes. */
function damage(random: Random, bytes: Uint8Array): Uint8Array {
  const damaged = Buffer.from(bytes)
  for (let i = 1 + random.integer(3); i > 0; i--) {
    const at = random.integer(damaged.length)
    damaged[at] = random.chance(0.5) ? 0xc0 + random.integer(0x20) : random.integer(256)
  }
  return new Uint8Array(damaged)
}

/** Whether the walk finds bytes canonical; undefined where they are no message. It may never say so where the encoder denies it. */
function walk(bytes: Uint8Array): boolean | undefined {
  let value: unknown
  try {
    value = decodeMessage(bytes)
  } catch {
    return undefined
  }
  const isPlain = isPlainlyCanonical(bytes)
  if (isPlain && !isEncodingOf(bytes, value))
    throw new Error(`not what the encoder writes: ${Buffer.from(bytes).toString('hex')}`)
  return isPlain
}

for (const seed of seeds(30)) {
  t.test(`the walk takes nothing for canonical that the encoder does not write (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const found = { written: 0, damaged: 0 }
    for (let i = 0; i < 100; i++) {
      const bytes = encodeCanonical(randomValue(random, 3))
      if (walk(bytes)) found.written++
      for (let j = 0; j < 5; j++) if (walk(damage(random, bytes))) found.damaged++
    }
    t.ok(found.written > 10 && found.damaged > 10, JSON.stringify(found))
  })

  t.test(`it knows nearly every operation at once (SEED=${seed})`, async (t) => {
    const cluster = createTestCluster()
    const history = randomHistory(createRandom(seed), cluster, { operations: 50, membership: 0.2, backdated: 0.2 })
    const plain = history.filter(({ bytes }) => walk(bytes.subarray(SIGNATURE_BYTES)))
    t.ok(plain.length > history.length * 0.9, `${plain.length} of ${history.length}`)
  })
}

t.test('every head: one spelling of each length and number is canonical', async (t) => {
  for (const length of LENGTHS)
    for (const value of ['x'.repeat(length), new Uint8Array(length), Array.from({ length }, () => 1)])
      if (!Array.isArray(value) || length < 65_536)
        t.equal(walk(encodeCanonical(value)), true, `${typeof value} of ${length}`)
  for (const value of INTEGERS.slice(0, -1)) t.equal(walk(encodeCanonical(value)), true, String(value))
  const hex = (text: string) => walk(Uint8Array.from(Buffer.from(text, 'hex')))
  // 1 in every wider spelling, then 2^53, minus zero, and 1 as a float.
  for (const wide of ['cc01', 'cd0001', 'ce00000001', 'cf0000000000000001', 'd001', 'd10001', 'd200000001'])
    t.equal(hex(wide), false, wide)
  for (const beyond of ['cf0020000000000000', 'cb8000000000000000', 'cb3ff0000000000000', 'ca3f800000'])
    t.equal(hex(beyond), false, beyond)
  for (const long of ['d90178', 'da000178', 'db0000000178', 'c5000178', 'c60000000178', 'dc000101', 'dd0000000101'])
    t.equal(hex(long), false, long)
  // The longest and greatest that a shorter head still holds.
  for (const [head, items, item] of [
    ['d91f', 31, '78'],
    ['da00ff', 255, '78'],
    ['db0000ffff', 65_535, '78'],
    ['c500ff', 255, '00'],
    ['c60000ffff', 65_535, '00'],
    ['dc000f', 15, '01'],
  ] as const)
    t.equal(hex(head + item.repeat(items)), false, head)
  for (const number of ['cc7f', 'cd00ff', 'ce0000ffff', 'cf00000000ffffffff']) t.equal(hex(number), false, number)
  const keys = Array.from({ length: 16 }, (_, i) => `a1${(0x61 + i).toString(16)}01`)
  t.equal(hex(`de0010${keys.join('')}`), true, 'sixteen keys')
  t.equal(hex(`de000f${keys.slice(1).join('')}`), false, 'fifteen keys')
  t.equal(hex('82a16101a16201'), true, 'rising keys')
  for (const map of ['82a16201a16101', '82a16101a16101', 'de0001a16101', 'df00000001a16101', '810101', '81d9016101'])
    t.equal(hex(map), false, map)
  const nested = (depth: number) => Uint8Array.from([...new Array(depth).fill(0x91), 0x01])
  for (const depth of [30, 31, 32])
    t.equal(walk(nested(depth)), isEncodingOf(nested(depth), decodeMessage(nested(depth))))
})
