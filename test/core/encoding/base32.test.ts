import { base32nopad } from '@scure/base'
import t from 'tap'
import { decodeBase32, decodeBase32Into, encodeBase32 } from '../../../core/encoding/base32.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

for (const seed of seeds(200)) {
  t.test(`base32 is what a library of good name says (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    for (let i = 0; i < 20; i++) {
      const bytes = random.bytes(random.chance(0.5) ? 32 : random.integer(100))
      const text = encodeBase32(bytes)
      t.equal(text, base32nopad.encode(bytes).toLowerCase())
      t.same(decodeBase32(text), bytes)
    }
  })

  t.test(`what the library refuses is refused, and nothing else (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const letters = 'abcdefghijklmnopqrstuvwxyz234567'
    for (let i = 0; i < 50; i++) {
      let text = Array.from({ length: random.integer(60) }, () => random.pick([...letters])).join('')
      if (random.chance(0.2)) text += random.pick(['0', '1', '8', 'A', '=', ' ', 'ä', '\u{1f600}'])
      const expected = attempt(() => Buffer.from(base32nopad.decode(text.toUpperCase())).toString('hex'))
      // The library was given upper case, which ours does not take.
      const upper = /[A-Z]/.test(text)
      t.equal(
        attempt(() => Buffer.from(decodeBase32(text)).toString('hex')),
        upper ? undefined : expected,
        JSON.stringify(text),
      )
    }
  })
}

t.test('decoding writes only where it was told to', async (t) => {
  const target = new Uint8Array(40).fill(7)
  decodeBase32Into(encodeBase32(new Uint8Array(32)), target, 4)
  t.same(
    target,
    Uint8Array.from({ length: 40 }, (_, i) => (i >= 4 && i < 36 ? 0 : 7)),
  )
  t.throws(() => decodeBase32Into(encodeBase32(new Uint8Array(32)), target, 9), RangeError)
})

function attempt(act: () => string): string | undefined {
  try {
    return act()
  } catch {
    return undefined
  }
}
