import t from 'tap'
import {
  absoluteName,
  compareStamps,
  formatStamp,
  type Hostname,
  nextStamp,
  parseHostname,
  parseNodeName,
  parseOwnerName,
} from '../../core/index.ts'
import { createRandom, seeds } from '../support/seeds.ts'

const apex = 'example.com' as Hostname

t.test('host names are brought to one spelling', async (t) => {
  t.equal(parseHostname('WWW.Example.COM.'), 'www.example.com')
  t.equal(parseHostname('xn--bcher-kva.example'), 'xn--bcher-kva.example')
  const bad = [
    '',
    '.',
    'localhost',
    'a..b',
    '-a.com',
    'a-.com',
    'a_b.com',
    'bücher.example',
    '192.0.2.1',
    'a b.com',
    'a/b.com',
    `${'a'.repeat(64)}.com`,
    `${'a.'.repeat(127)}com`,
    '*.example.com',
    'a.com/..',
    'a\0.com',
  ]
  for (const name of bad)
    t.throws(() => parseHostname(name), { code: 'MAKI_INVALID' }, JSON.stringify(name.slice(0, 30)))
})

t.test('owner names are relative to the apex', async (t) => {
  const cases: [string, string, string][] = [
    ['@', '@', 'example.com'],
    ['example.com.', '@', 'example.com'],
    ['Example.com', '@', 'example.com'],
    ['WWW', 'www', 'www.example.com'],
    ['www.example.com', 'www', 'www.example.com'],
    ['_sip._tcp', '_sip._tcp', '_sip._tcp.example.com'],
    ['*', '*', '*.example.com'],
    ['*.dev.example.com.', '*.dev', '*.dev.example.com'],
  ]
  for (const [text, owner, absolute] of cases) {
    t.equal(parseOwnerName(text, apex), owner)
    t.equal(absoluteName(parseOwnerName(text, apex), apex), absolute)
  }
  for (const name of [
    '',
    'www.',
    'www.example.org.',
    'a..b',
    'a.*',
    'a b',
    '-a',
    'a/b',
    `${'a'.repeat(64)}`,
    `${'a.'.repeat(125)}a`,
  ]) {
    t.throws(() => parseOwnerName(name, apex), { code: 'MAKI_INVALID' }, JSON.stringify(name.slice(0, 30)))
  }
})

t.test('node names', async (t) => {
  t.equal(parseNodeName('Berlin-1'), 'berlin-1')
  for (const name of ['', 'a.b', 'a b', 'x'.repeat(64)]) t.throws(() => parseNodeName(name), { code: 'MAKI_INVALID' })
})

for (const seed of seeds(20)) {
  t.test(`the next stamp is after all that were seen and not before now (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    for (let i = 0; i < 200; i++) {
      const seen = Array.from({ length: random.integer(4) }, () => ({
        wallMs: random.integer(50),
        counter: random.chance(0.1) ? 0xffff_ffff : random.integer(3),
      }))
      const now = random.integer(50)
      const next = nextStamp(now, seen)
      t.ok(seen.every((stamp) => compareStamps(stamp, next) < 0) && next.wallMs >= now && next.counter <= 0xffff_ffff)
    }
  })
}

t.test('stamps are shown as times', async (t) => {
  t.equal(formatStamp({ wallMs: 0, counter: 0 }), '1970-01-01T00:00:00.000Z')
  t.equal(formatStamp({ wallMs: 0, counter: 3 }), '1970-01-01T00:00:00.000Z+3')
})
