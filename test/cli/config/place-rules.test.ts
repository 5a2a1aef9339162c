import { join } from 'node:path'
import t from 'tap'
import { parsePlaceRules, readPlaceRules } from '../../../cli/config/place-rules.ts'

const rulesOf = (text: string) => parsePlaceRules(text, 'places.toml')

t.test('networks with a place, a country or a node', async (t) => {
  const rules = rulesOf(`
    [[network]]
    cidr = "203.0.113.0/24"
    latitude = 52.37
    longitude = 4.89
    [[network]]
    cidr = "2001:db8::/32"
    country = "de"
    [[network]]
    cidr = "192.0.2.7"
    node = "amsterdam"
  `)
  t.match(rules, [
    { network: { bits: 24 }, target: { kind: 'place', place: { latitude: 52.37, longitude: 4.89 } } },
    { network: { bits: 32 }, target: { kind: 'country', country: 'DE' } },
    { network: { bits: 32 }, target: { kind: 'node', node: 'amsterdam' } },
  ])
  t.strictSame([...(rules[0]?.network.octets ?? [])], [203, 0, 113, 0])
  t.strictSame(rulesOf(''), [])
})

t.test('all faults of a file are told at once, with their lines', async (t) => {
  const faults: Record<string, RegExp> = {
    'cidr = "203.0.113.1/24"\ncountry = "DE"': /:2:8: network\[0\]\.cidr: a network is expected/,
    'cidr = "1.2.3.0/33"\ncountry = "DE"': /a network is expected/,
    'cidr = "somewhere"\ncountry = "DE"': /a network is expected/,
    'country = "DE"': /cidr: it is missing/,
    'cidr = "1.2.3.0/24"': /it does not say where/,
    'cidr = "1.2.3.0/24"\ncountry = "DE"\nnode = "a"': /says more than once/,
    'cidr = "1.2.3.0/24"\ncountry = "XX"': /:3:11: network\[0\]\.country: a country is expected/,
    'cidr = "1.2.3.0/24"\nlatitude = 52.0': /longitude is missing/,
    'cidr = "1.2.3.0/24"\nlatitude = 152.0\nlongitude = 4.0': /a number from -90 to 90 is expected/,
    'cidr = "1.2.3.0/24"\ncontry = "DE"': /did you mean "country"/,
    'cidr = "1.2.3.0/24"\ncountry = "DE"\n[[network]]\ncidr = "1.2.3.0/24"\ncountry = "NL"':
      /the same network as on line 2/,
    'cidr = "1.2.3.0/24"\ncountry = "DE': /places\.toml:3/,
  }
  for (const [text, expected] of Object.entries(faults))
    t.throws(() => rulesOf(`[[network]]\n${text}`), { code: 'MAKI_CONFIG', message: expected }, text)
  t.throws(() => rulesOf('network = "all"'), { code: 'MAKI_CONFIG' })
  const two = '[[network]]\ncidr = "x"\ncountry = "DE"\n[[network]]\ncidr = "1.0.0.0/8"\ncountry = "XX"'
  t.throws(() => rulesOf(two), { message: /has 2 faults:\n.*:2:8: .*\n.*:6:11: / })
  const more: Record<string, RegExp> = {
    'cidr = "x"\nlatitude = 1.0': /has 2 faults:\n.*longitude is missing\n.*a network is expected/,
    'cidr = "x"\nlongitude = 191.0': /has 3 faults:\n.*latitude is missing\n.*a network.*\n.*-180 to 180/,
    'cidr = "x"': /has 2 faults:\n.*does not say where.*\n.*a network is expected/,
    'cidr = "x"\nlatitude = "1"\nlongitude = "2"': /has 3 faults:\n.*a network.*\n.*latitude: .*\n.*longitude: .*$/,
    'cidr = "x"\ncountry = "XX"\nnode = "a"': /has 3 faults:\n.*more than once/,
  }
  for (const [text, expected] of Object.entries(more))
    t.throws(() => rulesOf(`[[network]]\n${text}`), { code: 'MAKI_CONFIG', message: expected }, text)
  t.throws(() => rulesOf('network = [1, "x"]'), { code: 'MAKI_CONFIG' })
})

t.test('a file that cannot be read', async (t) => {
  await t.rejects(readPlaceRules(join(t.testdir(), 'none.toml')), {
    code: 'MAKI_CONFIG',
    message: /there is no such file/,
  })
})
