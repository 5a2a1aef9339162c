import { isIPv6 } from 'node:net'
import { decode, encode } from 'dns-packet'
import t from 'tap'
import { MakiError } from '../../../core/index.ts'
import { formatStrings, parseStrings, splitText } from '../../../dns/rdata/character-string.ts'
import { encodeRdata, formatRdata, parseRdata, type Rdata } from '../../../dns/rdata/rdata.ts'
import { TYPE_CODES } from '../../../dns/wire/codes.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { host } from '../cluster-state.ts'

const apex = host('example.com')

function randomName(random: Random): string {
  const label = () => Array.from({ length: 1 + random.integer(8) }, () => random.pick([...'abcxyz019-_'])).join('')
  return Array.from({ length: 2 + random.integer(4) }, label).join('.')
}

function randomRdata(random: Random): Rdata {
  const bits = (count: number) => random.integer(2 ** count)
  switch (random.pick(Object.keys(TYPE_CODES) as (keyof typeof TYPE_CODES)[])) {
    case 'A':
      return { type: 'A', address: Array.from({ length: 4 }, () => bits(8)).join('.') }
    case 'AAAA': {
      const groups = Array.from({ length: 8 }, () => (random.chance(0.5) ? '0' : bits(16).toString(16)))
      return parseRdata('AAAA', groups.join(':').toUpperCase())
    }
    case 'CNAME':
      return { type: 'CNAME', target: randomName(random) }
    case 'NS':
      return { type: 'NS', server: randomName(random) }
    case 'MX':
      return { type: 'MX', preference: bits(16), exchange: random.chance(0.1) ? '' : randomName(random) }
    case 'TXT': {
      const length = () => random.pick([0, 1, 20, 254, 255])
      return { type: 'TXT', strings: Array.from({ length: 1 + random.integer(4) }, () => random.bytes(length())) }
    }
    case 'CAA':
      return { type: 'CAA', flags: bits(8), tag: random.pick(['issue', 'iodef']), value: 'ca.example; x=1' }
    case 'SOA': {
      const [serial, refresh, retry, expire, minimum] = Array.from({ length: 5 }, () => bits(32)) as [
        number,
        number,
        number,
        number,
        number,
      ]
      const [mname, rname] = [randomName(random), randomName(random)]
      return { type: 'SOA', mname, rname, serial, refresh, retry, expire, minimum }
    }
  }
}

for (const seed of seeds(20)) {
  t.test(`what is formatted parses to the same, and goes over the wire and back (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    for (let i = 0; i < 200; i++) {
      const rdata = randomRdata(random)
      const text = formatRdata(rdata)
      const again = parseRdata(rdata.type, text, apex)
      if (formatRdata(again) !== text) t.equal(formatRdata(again), text)
      const wire = encodeRdata(rdata)
      if (!Buffer.from(wire).equals(encodeRdata(again))) t.fail(`${text} encodes to other bytes after a round trip`)
      t.equal(throughPeer(rdata.type, wire), text, `${rdata.type} ${text.slice(0, 60)}`)
    }
  })
}

/** Our octets, as the library that wrote most of them reads them, in presentation format. */
function throughPeer(type: Rdata['type'], wire: Uint8Array): string {
  const head = encode({ answers: [{ type: 'NULL', name: '.', data: Buffer.from(wire) }] })
  head.writeUInt16BE(TYPE_CODES[type], 13)
  const [record] = decode(head).answers ?? []
  const data: unknown = record !== undefined && 'data' in record ? record.data : undefined
  const fields = data as Record<string, string | number>
  const dot = (name: unknown) => (name === '.' ? '.' : `${String(name)}.`)
  switch (type) {
    case 'A':
      return String(data)
    case 'AAAA':
      return new URL(`http://[${String(data)}]`).hostname.slice(1, -1)
    case 'CNAME':
    case 'NS':
      return dot(data)
    case 'MX':
      return `${fields.preference} ${dot(fields.exchange)}`
    case 'TXT':
      return formatStrings(data as Buffer[])
    case 'CAA':
      return `${fields.flags} ${fields.tag} "${fields.value}"`
    case 'SOA': {
      const { mname, rname, serial, refresh, retry, expire, minimum } = fields
      return `${dot(mname)} ${dot(rname)} ${serial} ${refresh} ${retry} ${expire} ${minimum}`
    }
  }
}

for (const seed of seeds(20)) {
  t.test(`any text becomes strings and comes back (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    for (let i = 0; i < 50; i++) {
      const text = Array.from({ length: random.integer(900) }, () =>
        random.pick(['a', ' ', '"', '\\', '\n', '\0', 'é', '✓', '😀', '\x7f']),
      ).join('')
      const strings = splitText(text)
      t.ok(strings.every((string) => string.length <= 255) && strings.length >= 1, `${text.length} characters`)
      t.equal(Buffer.concat(strings).toString('utf8'), text)
      const formatted = formatStrings(strings)
      t.match(formatted, /^[ -~]*$/, 'printable ASCII only')
      t.strictSame(parseStrings(formatted).map(Buffer.from), strings.map(Buffer.from))
    }
  })
  t.test(`garbage is refused with a MakiError or parses to something that comes back (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const pieces = [
      '"',
      '\\',
      '0',
      '10',
      '1.2.3.4',
      '::',
      '.',
      '@',
      ' ',
      '\t',
      'a',
      'example.com',
      '256',
      '-',
      '%',
      'é',
      '\\9',
      ':',
    ]
    for (let i = 0; i < 300; i++) {
      const text = Array.from({ length: random.integer(8) }, () => random.pick(pieces)).join('')
      for (const type of Object.keys(TYPE_CODES) as (keyof typeof TYPE_CODES)[]) {
        try {
          const canonical = formatRdata(parseRdata(type, text, apex))
          if (formatRdata(parseRdata(type, canonical, apex)) !== canonical) t.fail(`${type} ${text}`)
        } catch (error) {
          if (!(error instanceof MakiError) || error.hint === undefined) t.fail(`${type} ${text}`, { error })
        }
      }
    }
    t.pass('no other error')
  })
}

t.test('addresses have one spelling', async (t) => {
  for (const text of ['2001:DB8:0:0:0:0:0:1', '2001:db8::0:1', '2001:0db8::1']) {
    t.equal(formatRdata(parseRdata('AAAA', text)), '2001:db8::1')
  }
  t.ok(isIPv6(formatRdata(parseRdata('AAAA', '::ffff:192.0.2.1'))))
})

t.test('names are full names', async (t) => {
  for (const text of ['Mail.Example.COM', 'mail.example.com.']) {
    t.equal(formatRdata(parseRdata('CNAME', text, apex)), 'mail.example.com.')
  }
  t.equal(formatRdata(parseRdata('CNAME', '@', apex)), 'example.com.')
  t.equal(formatRdata(parseRdata('CNAME', 'localhost.', apex)), 'localhost.')
  t.equal(formatRdata(parseRdata('MX', '0 .', apex)), '0 .', 'the null MX of RFC 7505')
  t.throws(() => parseRdata('CNAME', 'mail', apex), { code: 'MAKI_INVALID', hint: /mail\.example\.com/ })
})
