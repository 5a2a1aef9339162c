import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { PasswordChecker } from '../../../edge/server/password-checker.ts'
import { hashPassword, SALT_BYTES, verifyPassword } from '../../../edge/server/password-hash.ts'
import { FakeRuntime } from '../fixtures.ts'

const HASH = '$hash'

/** Right is the password `right`; each look is held until it is let go. */
function start() {
  const runtime = new FakeRuntime()
  const held: (() => void)[] = []
  let looks = 0
  let most = 0
  let now = 0
  const checker = new PasswordChecker(runtime, async (password) => {
    looks++
    most = Math.max(most, ++now)
    await new Promise<void>((resolve) => held.push(resolve))
    now--
    return password === 'right'
  })
  const settle = async <T>(answer: Promise<T>): Promise<T> => {
    let done = false
    void answer.then(() => {
      done = true
    })
    while (!done) {
      for (const letGo of held.splice(0)) letGo()
      await new Promise((resolve) => setImmediate(resolve))
    }
    return answer
  }
  const check = (password: string, client = '192.0.2.1') => checker.check({ hash: HASH, password, client })
  return { runtime, check, settle, looks: () => looks, most: () => most }
}

t.test('a page with fifty images costs one look', async (t) => {
  const { check, settle, looks } = start()
  const all = Promise.all(Array.from({ length: 50 }, () => check('right')))
  t.strictSame(new Set(await settle(all)), new Set(['right']))
  t.equal(await check('right', '198.51.100.9'), 'right', 'from elsewhere too')
  t.equal(looks(), 1)
})

t.test('a network that is wrong twenty times has to wait, others have not', async (t) => {
  const { check, settle, runtime } = start()
  t.equal(await settle(check('right')), 'right')
  for (let i = 0; i < 20; i++) t.equal(await settle(check(`wrong ${i}`, `192.0.2.${i}`)), 'wrong', `try ${i}`)
  t.equal(await check('wrong', '192.0.2.200'), 'too-many-tries')
  t.equal(await check('right too?', '192.0.2.200'), 'too-many-tries', 'whatever it is')
  t.equal(await check('right'), 'right', 'what is known to be right goes on')
  t.equal(await settle(check('wrong', '198.51.100.1')), 'wrong', 'another network')
  runtime.advance(6_000)
  t.equal(await settle(check('wrong')), 'wrong', 'one try is back')
  t.equal(await check('wrong'), 'too-many-tries')
})

t.test('right tries are given back', async (t) => {
  const { check, settle } = start()
  for (let i = 0; i < 100; i++) t.equal(await settle(check('right')), 'right')
})

t.test('few looks at once, and a bounded queue', async (t) => {
  const { check, settle, most } = start()
  const all = Promise.all(Array.from({ length: 200 }, (_, i) => check(`wrong ${i}`, `10.${i}.0.1`)))
  const verdicts = await settle(all)
  t.equal(most(), 2)
  t.equal(verdicts.filter((verdict) => verdict === 'wrong').length, 34)
  t.equal(verdicts.filter((verdict) => verdict === 'busy').length, 166)
  t.equal(await settle(check('wrong', '10.199.0.1')), 'wrong', 'and then there is room again')
})

t.test('a hash that cannot be checked has no right password', async (t) => {
  const checker = new PasswordChecker(systemRuntime)
  for (const hash of ['', 'right', '$scrypt$ln=99,r=8,p=1$AAAA$AAAA', '$scrypt$ln=0,r=8,p=1$AAAA$AAAA'])
    t.equal(await checker.check({ hash, password: 'right', client: '' }), 'wrong', hash)
})

t.test('hashes', async (t) => {
  const hash = await hashPassword('e\u0301', new Uint8Array(SALT_BYTES).fill(7))
  t.match(hash, /^\$scrypt\$ln=15,r=8,p=3\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  t.ok(await verifyPassword('\u00e9', hash), 'however the accent is typed')
  t.notOk(await verifyPassword('e', hash))
  // RFC 7914 section 12, cut into the form of a PHC string: N = 1024, r = 8, p = 16.
  const known =
    '$scrypt$ln=10,r=8,p=16$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWIurzDZLiKjiG/xCSedmDDaxyevuUqD7m2DYMvfoswGQA'
  t.ok(await verifyPassword('password', known), 'the test vector of RFC 7914')
})
