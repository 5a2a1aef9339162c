import { isIP, isIPv6 } from 'node:net'
import t from 'tap'
import { formatIp, ipOctets } from '../../../dns/wire/ip-octets.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

t.test('addresses in their spellings', async (t) => {
  const hex = (address: string) => Buffer.from(ipOctets(address) ?? []).toString('hex')
  t.equal(hex('192.0.2.1'), 'c0000201')
  t.equal(hex('::'), '0'.repeat(32))
  t.equal(hex('::1'), `${'0'.repeat(31)}1`)
  t.equal(hex('2001:db8::'), `20010db8${'0'.repeat(24)}`)
  t.equal(hex('2001:DB8:1:2:3:4:5:6'), '20010db8000100020003000400050006')
  t.equal(hex('64:ff9b::192.0.2.1'), '0064ff9b0000000000000000c0000201')
  t.equal(hex('fe80::1%eth0'), `fe80${'0'.repeat(27)}1`)
  for (const wrong of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '1..2.3',
    ':',
    '1::2::3',
    '1:2:3:4:5:6:7',
    'g::',
    'a.b.c.d',
  ]) {
    t.equal(ipOctets(wrong), undefined, wrong)
  }
})

for (const seed of seeds(5)) {
  t.test(
    `what is an address by node's judgement is read, and nothing else; as URLs read it (seed ${seed})`,
    async (t) => {
      const random = createRandom(seed)
      const piece = () => random.pick(['', '0', 'ffff', '1', '12345', 'db8', '1.2.3.4', '256', '7', ':'])
      let addresses = 0
      for (let i = 0; i < 20_000; i++) {
        const separator = random.pick([':', ':', '.'])
        const text = Array.from({ length: 1 + random.integer(8) }, piece).join(separator)
        const octets = ipOctets(text)
        // A leading zero is an octal digit to some and nothing to others: the system never writes one.
        if (/(^|\.)0\d/.test(text)) continue
        if ((octets !== undefined) !== isIP(text) > 0) t.fail(text)
        if (octets === undefined || !isIPv6(text)) continue
        addresses += 1
        if (new URL(`http://[${text}]`).hostname !== `[${formatIp(octets)}]`) t.fail(text)
      }
      t.ok(addresses > 20, `${addresses} IPv6 addresses`)
    },
  )
}

for (const seed of seeds(5)) {
  t.test(`octets have one text, which says them and is that of URLs (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    for (let i = 0; i < 5000; i++) {
      const length = random.pick([4, 16])
      // Zeros in all places, for where they stand decides the spelling.
      const octets = Uint8Array.from({ length }, () => (random.integer(3) > 0 ? 0 : random.integer(256)))
      const text = formatIp(octets)
      if (Buffer.compare(ipOctets(text) ?? Buffer.of(), octets) !== 0) t.fail(text)
      if (new URL(length === 4 ? `http://${text}` : `http://[${text}]`).hostname.replace(/[[\]]/g, '') !== text)
        t.fail(text)
    }
  })
}
