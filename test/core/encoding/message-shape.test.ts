import fc from 'fast-check'
import t from 'tap'
import { decodeMessage, encodeCanonical } from '../../../core/index.ts'

const seed = Number(process.env.SEED ?? 1)

t.test(`what is encoded decodes to the same bytes again (SEED=${seed})`, async (t) => {
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      fc.integer(),
      fc.double({ noNaN: true }),
      fc.string(),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array({ maxLength: 70_000 / 100 }),
      fc.array(tie('value'), { maxLength: 40 }),
      fc.dictionary(fc.string(), tie('value'), { maxKeys: 20 }),
    ),
  })).value
  fc.assert(
    fc.property(value, (input) => {
      const bytes = encodeCanonical(input)
      return Buffer.compare(encodeCanonical(decodeMessage(bytes)), bytes) === 0
    }),
    { seed, numRuns: 300 },
  )
  for (const length of [31, 32, 255, 256, 65_535, 65_536])
    for (const input of ['x'.repeat(length), new Uint8Array(length), Array.from({ length }, (_, i) => i)])
      t.same(decodeMessage(encodeCanonical(input)), input, `${typeof input} of ${length}`)
})

t.test(`random bytes and damaged messages never decode to more than they hold (SEED=${seed})`, async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      try {
        decodeMessage(bytes)
      } catch {}
    }),
    { seed, numRuns: 3000 },
  )
})

t.test('lengths that promise more than there is are refused before anything is allocated', async (t) => {
  // 30 million elements each: a decoder that believes them takes 240 MB for every five bytes.
  const bomb = new Uint8Array(1_000_000)
  for (let at = 0; at < bomb.length; at += 5) bomb.set([0xdd, 0x01, 0xe0, 0, 0], at)
  t.throws(() => decodeMessage(bomb), { code: 'MAKI_INVALID', message: /more elements/ })
  t.throws(() => decodeMessage(new Uint8Array(100_000).fill(0x91)), { code: 'MAKI_INVALID', message: /nested/ })
  t.throws(() => decodeMessage(new Uint8Array([0xdf, 0xff, 0xff, 0xff, 0xff])), /more elements/)
  t.throws(() => decodeMessage(new Uint8Array([0xc6, 0xff, 0xff, 0xff, 0xff, 1])), /ends early/)
  t.throws(() => decodeMessage(new Uint8Array([0xc7, 1, 1, 1])), /extension/)
  t.throws(() => decodeMessage(new Uint8Array([1, 2])), /follow/)
  t.throws(() => decodeMessage(new Uint8Array([])), /ends early/)
})

t.test('small values in great number are refused before one of them is built', async (t) => {
  const holding = (count: number, value: number) => {
    const bytes = new Uint8Array(5 + count).fill(value, 5)
    bytes[0] = 0xdd
    new DataView(bytes.buffer).setUint32(1, count)
    return bytes
  }
  for (const value of [0x80, 0x90, 0xa0, 0xc0]) {
    t.throws(() => decodeMessage(holding(1001, value), 1001), { code: 'MAKI_INVALID', message: /more than 1001/ })
    t.equal((decodeMessage(holding(1000, value), 1001) as unknown[]).length, 1000)
  }
  t.throws(() => decodeMessage(encodeCanonical([[1, 2], { a: 3, b: [4] }]), 8), /more than 8/)
  t.same(decodeMessage(encodeCanonical([[1, 2], { a: 3, b: [4] }]), 10), [[1, 2], { a: 3, b: [4] }])
})
