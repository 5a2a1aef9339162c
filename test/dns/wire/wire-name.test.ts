import t from 'tap'
import { encodeWireName, findWireName, nameOctets } from '../../../dns/wire/wire-name.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

for (const seed of seeds(20)) {
  t.test(`any name on the wire is its key and back (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const keys = new Map<string, string>()
    for (let i = 0; i < 300; i++) {
      const labels = Array.from({ length: random.integer(5) }, () => random.bytes(1 + random.integer(20)))
      const odd = random.chance(0.5)
      // Lower case: keys do not tell it from upper case.
      const octet = (value: number) =>
        odd ? (value >= 0x41 && value <= 0x5a ? value + 0x20 : value) : 0x61 + (value % 26)
      const wire = Buffer.concat([
        ...labels.flatMap((label) => [Uint8Array.of(label.length), label.map(octet)]),
        Uint8Array.of(0),
      ])
      const found = findWireName(wire, 0)
      if (found === undefined) throw new Error(`${wire.toString('hex')} is a name`)
      const again = Buffer.from(encodeWireName(found.key)).toString('hex')
      if (again !== wire.toString('hex')) t.equal(again, wire.toString('hex'), found.key)
      if (nameOctets(found.key) !== wire.length) t.equal(nameOctets(found.key), wire.length, found.key)
      const other = keys.get(found.key)
      if (other !== undefined && other !== again) t.fail(`${again} and ${other} share the key ${found.key}`)
      keys.set(found.key, again)
    }
    t.ok(keys.size > 100)
  })
}

/** What a key is, written as simply as it can be. */
function spell(labels: readonly Uint8Array[]): string {
  const spellOne = (octet: number) => {
    const character = String.fromCharCode(octet)
    return /[A-Za-z0-9_*-]/.test(character) ? character.toLowerCase() : `\\${String(octet).padStart(3, '0')}`
  }
  return labels.map((label) => [...label].map(spellOne).join('')).join('.')
}

for (const seed of seeds(20)) {
  t.test(`a key has the octets of its name, wherever that stands in the message (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    let plain = 0
    for (let i = 0; i < 300; i++) {
      const oddEvery = random.pick([0, 0.02, 1])
      const labels = Array.from({ length: random.integer(8) }, () =>
        Uint8Array.from({ length: 1 + random.integer(30) }, () =>
          random.chance(oddEvery) ? random.integer(256) : random.pick([0x2d, 0x2a, 0x5f, 0x30, 0x41, 0x5a, 0x61, 0x7a]),
        ),
      )
      const name = Buffer.concat([...labels.flatMap((label) => [Uint8Array.of(label.length), label]), Uint8Array.of(0)])
      const before = random.bytes(random.integer(40))
      const found = findWireName(Buffer.concat([before, name, random.bytes(4)]), before.length)
      const wanted = { key: spell(labels), end: before.length + name.length }
      if (!wanted.key.includes('\\')) plain += 1
      if (found?.key !== wanted.key || found.end !== wanted.end) t.same(found, wanted, name.toString('hex'))
    }
    t.ok(plain > 50 && plain < 290, `${plain} of 300 have only what host names have`)
  })
}
