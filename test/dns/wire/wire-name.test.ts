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
