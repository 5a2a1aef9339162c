import t from 'tap'
import { ServerCookies } from '../../../dns/message/server-cookie.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const SECRET = 'e5e973e5a6b2a43f48e7dc849e37bfcf'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

function cookieOf(option: string) {
  const bytes = Buffer.from(option, 'hex')
  return { client: bytes.subarray(0, 8), server: bytes.length > 8 ? bytes.subarray(8) : undefined }
}

function judge(secret: string, option: string, address: string, now: number) {
  const judged = new ServerCookies(secret).judge(cookieOf(option), address, now)
  return judged && { standing: judged.standing, option: hex(judged.option) }
}

t.test('the examples of RFC 9018 appendix A', async (t) => {
  const client = '198.51.100.100'
  t.strictSame(
    judge(SECRET, '2464c4abcf10c957', client, 1559731985),
    { standing: 'new', option: '2464c4abcf10c957010000005cf79f111f8130c3eee29480' },
    'A.1: a client cookie alone',
  )
  t.strictSame(
    judge(SECRET, '2464c4abcf10c957010000005cf79f111f8130c3eee29480', client, 1559734385),
    { standing: 'valid', option: '2464c4abcf10c957010000005cf7a871d4a564a1442aca77' },
    'A.2: after forty minutes, renewed',
  )
  const reserved = 'fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5'
  t.match(
    judge(SECRET, reserved, '203.0.113.203', 1559727985),
    { standing: 'valid' },
    'A.3: reserved octets that are set',
  )
  t.strictSame(
    judge(SECRET, reserved, '203.0.113.203', 1559734700),
    { standing: 'bad', option: 'fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e' },
    'A.3: long after',
  )
  const ipv6 = '2001:db8:220:1:59de:d0f4:8769:82b8'
  const old = '22681ab97d52c298010000005cf7c57926556bd0934c72f8'
  t.match(judge('dd3bdf9344b678b185a6f5cb60fca715', old, ipv6, 1559741961), { standing: 'valid', option: old })
  t.strictSame(
    judge('445536bcd2513298075a5d379663c962', old, ipv6, 1559741961),
    { standing: 'bad', option: '22681ab97d52c298010000005cf7c609a6bb79d16625507a' },
    'A.4: IPv6, another secret',
  )
})

t.test('a cookie lasts an hour, is renewed after half of it, and may be five minutes ahead', async (t) => {
  const given = '2464c4abcf10c957010000005cf79f111f8130c3eee29480'
  const at = (age: number) => judge(SECRET, given, '198.51.100.100', 1559731985 + age)
  for (const age of [-300, 0, 1799]) t.strictSame(at(age), { standing: 'valid', option: given }, `${age} s`)
  for (const age of [1800, 3600]) {
    t.equal(at(age)?.standing, 'valid', `${age} s`)
    t.not(at(age)?.option, given, `${age} s`)
  }
  for (const age of [-301, 3601, 2 ** 31]) t.equal(at(age)?.standing, 'bad', `${age} s`)
  t.equal(judge(SECRET, given, '', 1559731985), undefined, 'from no address')
  t.throws(() => new ServerCookies('00'), RangeError)
})

for (const seed of seeds(20)) {
  t.test(`a cookie is good for who got it alone, also when the seconds wrap (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const address = () => (random.chance(0.5) ? `192.0.2.${random.integer(256)}` : `2001:db8::${random.integer(9999)}`)
    for (let i = 0; i < 200; i++) {
      const cookies = new ServerCookies(hex(random.bytes(16)))
      const client = random.bytes(8)
      const from = address()
      const now = random.chance(0.5) ? 2 ** 32 - random.integer(600) : random.integer(2 ** 32)
      const judged = cookies.judge({ client, server: undefined }, from, now)
      if (judged === undefined) throw new Error('no cookie was made')
      const option = Uint8Array.from(judged.option)
      const later = now + random.integer(3601)
      const look = (bytes: Uint8Array, who: string) =>
        cookies.judge({ client: bytes.slice(0, 8), server: bytes.slice(8) }, who, later)?.standing
      if (look(option, from) !== 'valid') t.fail(`not valid: ${hex(option)}`)
      const other = address()
      if (other !== from && look(option, other) !== 'bad') t.fail(`valid for ${other}: ${hex(option)}`)
      const bit = random.integer(option.length * 8)
      option[bit >> 3] = (option[bit >> 3] as number) ^ (1 << (bit & 7))
      if (look(option, from) !== 'bad') t.fail(`valid with bit ${bit} flipped: ${hex(option)}`)
      if (look(option.subarray(0, 8 + random.pick([8, 15, 17, 32])), from) === 'valid') t.fail('valid though cut')
    }
    t.pass('200 cookies')
  })
}
