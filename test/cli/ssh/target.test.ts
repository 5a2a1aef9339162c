import { userInfo } from 'node:os'
import t from 'tap'
import { formatSshTarget, parseSshTarget } from '../../../cli/ssh/index.ts'
import { MakiError } from '../../../core/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

t.test('users, names and addresses', async (t) => {
  const read = (text: string) => {
    const { user, host, port } = parseSshTarget(text)
    return [user, host, port]
  }
  t.strictSame(read('root@203.0.113.7'), ['root', '203.0.113.7', 22])
  t.strictSame(read('ann@web.example.org'), ['ann', 'web.example.org', 22])
  t.strictSame(read('root@[2001:db8::1]'), ['root', '2001:db8::1', 22])
  t.strictSame(read('root@2001:db8::1'), ['root', '2001:db8::1', 22])
  t.strictSame(read('DOMAIN\\ann@host'), ['DOMAIN\\ann', 'host', 22])
  t.strictSame(read('ann@example.org@host'), ['ann@example.org', 'host', 22], 'users of a directory have an @')
  t.strictSame(read('localhost'), [userInfo().username, 'localhost', 22])
  t.equal(parseSshTarget('root@host', 2222).port, 2222)
})

t.test('what is none is refused, and why is said', async (t) => {
  const refused: readonly [string, RegExp][] = [
    ['', /no host/],
    ['root@', /no host/],
    ['@host', /no user/],
    ['-oProxyCommand=x@host', /user/],
    ['root@-oProxyCommand=x', /neither a name nor an address/],
    ['root@host:22', /a port stands in it/],
    ['root@[2001:db8::1]:22', /a port stands in it/],
    ['root@[203.0.113.7]', /no IPv6/],
    ['root@256.1.1.1', /no IPv4/],
    ['root@a b', /neither/],
    ['root@host;id', /neither/],
    ['root@$(id)', /neither/],
    ['ro ot@host', /user/],
    ['root\n@host', /user/],
    ['root@host\n', /neither/],
    [`root@${'a'.repeat(64)}.org`, /neither/],
  ]
  for (const [text, why] of refused) {
    t.throws(() => parseSshTarget(text), { code: 'MAKI_USAGE', message: why }, JSON.stringify(text))
  }
  for (const port of [0, -1, 65536, 1.5, Number.NaN])
    t.throws(() => parseSshTarget('a@b', port), { code: 'MAKI_USAGE' })
})

for (const seed of seeds(20)) {
  t.test(`whatever is typed is refused in words or comes back as it was written (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const pieces = [
      'root',
      '@',
      '[',
      ']',
      ':',
      '::1',
      '.',
      '-',
      'a',
      '1',
      '255',
      ' ',
      '%',
      '\n',
      '\\',
      "'",
      '$',
      'ü',
      '\0',
    ]
    for (let i = 0; i < 500; i++) {
      const text = Array.from({ length: 1 + random.integer(7) }, () => random.pick(pieces)).join('')
      try {
        const target = parseSshTarget(text)
        t.notMatch(target.host, /^-|[\s'"$;&|]/)
        t.notMatch(target.user, /^-|[\s'";&|]/)
        if (text.includes('@')) t.strictSame(parseSshTarget(formatSshTarget(target)), target)
      } catch (error) {
        if (!(error instanceof MakiError) || error.code !== 'MAKI_USAGE') throw error
      }
    }
  })
}
