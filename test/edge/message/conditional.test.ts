import t from 'tap'
import { evaluateConditions, findHttpDate, formatHttpDate, matchesWeakly } from '../../../edge/message/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const TAG = '"abc"'
const PUBLISHED = 'Sun, 06 Nov 1994 08:49:37 GMT'
const BEFORE = 'Sun, 06 Nov 1994 08:49:36 GMT'
const AFTER = 'Sun, 06 Nov 1994 08:49:38 GMT'

function evaluate(fields: Readonly<Record<string, string>>, lastModified: string | undefined = PUBLISHED): string {
  const known = (header: string) => (matchesWeakly(header, TAG) ? TAG : undefined)
  return evaluateConditions((name) => fields[name], { etag: TAG, lastModified }, known).kind
}

t.test('conditions, one by one (RFC 9110 section 13.1)', async (t) => {
  const cases: readonly (readonly [name: string, value: string, expected: string])[] = [
    ['if-match', TAG, 'proceed'],
    ['if-match', '*', 'proceed'],
    ['if-match', ` "x" , ${TAG}`, 'proceed'],
    ['if-match', `W/${TAG}`, 'failed'],
    ['if-match', '"x"', 'failed'],
    ['if-match', 'abc', 'failed'],
    ['if-match', '', 'failed'],
    ['if-none-match', TAG, 'not-modified'],
    ['if-none-match', `W/${TAG}`, 'not-modified'],
    ['if-none-match', '*', 'not-modified'],
    ['if-none-match', `"x", "y,z", ${TAG}`, 'not-modified'],
    ['if-none-match', '"x"', 'proceed'],
    ['if-none-match', 'abc', 'proceed'],
    ['if-modified-since', PUBLISHED, 'not-modified'],
    ['if-modified-since', AFTER, 'not-modified'],
    ['if-modified-since', BEFORE, 'proceed'],
    ['if-modified-since', 'Sunday, 06-Nov-94 08:49:37 GMT', 'not-modified'],
    ['if-modified-since', 'Sun Nov  6 08:49:37 1994', 'not-modified'],
    ['if-modified-since', 'yesterday', 'proceed'],
    ['if-modified-since', '0', 'proceed'],
    ['if-unmodified-since', PUBLISHED, 'proceed'],
    ['if-unmodified-since', AFTER, 'proceed'],
    ['if-unmodified-since', BEFORE, 'failed'],
    ['if-unmodified-since', 'yesterday', 'proceed'],
  ]
  for (const [name, value, expected] of cases) t.equal(evaluate({ [name]: value }), expected, `${name}: ${value}`)
  for (const name of ['if-modified-since', 'if-unmodified-since'])
    for (const date of [BEFORE, AFTER]) {
      const known = () => undefined
      const { kind } = evaluateConditions(
        (asked) => (asked === name ? date : undefined),
        { etag: TAG, lastModified: undefined },
        known,
      )
      t.equal(kind, 'proceed', `${name} where nobody knows a date`)
    }
})

t.test('their order (RFC 9110 section 13.2.2)', async (t) => {
  const pick = (name: string, values: readonly string[]) =>
    [undefined, ...values].map((value) => [name, value] as const)
  let count = 0
  for (const im of pick('if-match', [TAG, '"x"']))
    for (const ius of pick('if-unmodified-since', [BEFORE, AFTER]))
      for (const inm of pick('if-none-match', [TAG, '"x"']))
        for (const ims of pick('if-modified-since', [BEFORE, AFTER])) {
          const fields = Object.fromEntries([im, ius, inm, ims].filter(([, value]) => value !== undefined)) as Record<
            string,
            string
          >
          // Word for word, as the section has its steps.
          const step1 = im[1] !== undefined ? im[1] === TAG : undefined
          const step2 = im[1] === undefined && ius[1] !== undefined ? ius[1] === AFTER : undefined
          const step3 = inm[1] !== undefined ? inm[1] !== TAG : undefined
          const step4 = inm[1] === undefined && ims[1] !== undefined ? ims[1] === BEFORE : undefined
          const expected =
            step1 === false || step2 === false
              ? 'failed'
              : step3 === false || step4 === false
                ? 'not-modified'
                : 'proceed'
          t.equal(evaluate(fields), expected, JSON.stringify(fields))
          count++
        }
  t.equal(count, 81)
})

t.test('dates (RFC 9110 section 5.6.7)', async (t) => {
  const ms = Date.UTC(1994, 10, 6, 8, 49, 37)
  for (const text of [PUBLISHED, 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])
    t.equal(findHttpDate(text), ms, text)
  t.equal(findHttpDate('Sun, 31 Dec 1995 23:59:60 GMT'), Date.UTC(1995, 11, 31, 23, 59, 59), 'a leap second')
  for (const text of [
    '',
    'Sun, 06 Nov 1994 08:49:37',
    'Sun, 06 Nov 1994 08:49:37 CET',
    'Sun, 06 nov 1994 08:49:37 GMT',
    'Sun, 31 Feb 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:49:37 GMT',
    'Sun, 06 Nov 1994 08:60:37 GMT',
    ' Sun, 06 Nov 1994 08:49:37 GMT',
    '1994-11-06T08:49:37Z',
    'x'.repeat(5000),
  ])
    t.equal(findHttpDate(text), undefined, JSON.stringify(text.slice(0, 40)))
})

for (const seed of seeds(3)) {
  t.test(`a date that is written is read again (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    for (let i = 0; i < 1000; i++) {
      const ms = random.integer(4_000_000_000) * 1000
      if (findHttpDate(formatHttpDate(ms + random.integer(1000))) !== ms) t.fail(formatHttpDate(ms))
    }
    t.pass()
  })
}
