import t from 'tap'
import { type Coding, rankCodings } from '../../../edge/message/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

type Name = Coding | 'identity'
const NAMES: readonly Name[] = ['br', 'zstd', 'gzip', 'identity']

/** Section 12.5.3 of RFC 9110 read slowly: one character after another, one coding after another. */
function rankSlowly(field: string): Name[] {
  const elements: { name: string; q: number }[] = []
  for (const part of field.split(',')) {
    const text = part.replace(/^[ \t]+|[ \t]+$/g, '').toLowerCase()
    if (text === '') continue
    const [head, ...parameters] = text.split(';').map((piece) => piece.replace(/^[ \t]+|[ \t]+$/g, ''))
    if (head === undefined || !isToken(head) || parameters.length > 1) return ['identity']
    const weight = parameters[0]
    if (weight !== undefined && !isWeight(weight)) return ['identity']
    elements.push({ name: head === 'x-gzip' ? 'gzip' : head, q: weight === undefined ? 1 : Number(weight.slice(2)) })
  }
  const least = (name: string) => {
    const found = elements.filter((element) => element.name === name).map(({ q }) => q)
    return found.length === 0 ? undefined : Math.min(...found)
  }
  const weights = new Map<Name, number>()
  for (const name of NAMES) {
    const weight = least(name) ?? least('*') ?? (name === 'identity' ? 0.0001 : 0)
    if (weight > 0) weights.set(name, weight)
  }
  const rank: Name[] = []
  while (weights.size > 0) {
    const best = Math.max(...weights.values())
    const name = NAMES.find((one) => weights.get(one) === best) as Name
    rank.push(name)
    weights.delete(name)
  }
  return rank
}

const isToken = (text: string) =>
  text !== '' && [...text].every((c) => "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz".includes(c))

function isWeight(text: string): boolean {
  if (!text.startsWith('q=')) return false
  const value = text.slice(2)
  if (value === '0' || value === '1' || value === '0.' || value === '1.') return true
  const digits = value.slice(2)
  if (digits.length > 3 || (!value.startsWith('0.') && !value.startsWith('1.'))) return false
  return [...digits].every((c) => (value.startsWith('0.') ? '0123456789' : '0').includes(c))
}

function writeField(random: Random): string {
  const space = () => random.pick(['', '', ' ', '\t', '  '])
  const element = () => {
    const name = random.pick(['br', 'gzip', 'zstd', 'identity', '*', 'deflate', 'x-gzip', 'BR', 'Gzip', 'compress', ''])
    if (name === '' || random.chance(0.4)) return `${space()}${name}${space()}`
    const q = random.pick([
      '0',
      '1',
      '0.5',
      '0.500',
      '0.001',
      '1.000',
      '0.',
      '1.',
      '0.25',
      '1.001',
      '2',
      '.5',
      '0.1234',
      'x',
      '',
    ])
    return `${space()}${name}${space()};${space()}${random.pick(['q', 'q', 'q', 'Q', 'v'])}=${q}${space()}`
  }
  const field = Array.from({ length: random.integer(6) }, element).join(',')
  if (!random.chance(0.1)) return field
  const at = random.integer(field.length + 1)
  return field.slice(0, at) + String.fromCharCode(random.integer(256)) + field.slice(at)
}

for (const seed of seeds(10)) {
  t.test(`Accept-Encoding means what RFC 9110 says (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    for (let i = 0; i < 2000; i++) {
      const field = writeField(random)
      const expected = rankSlowly(field)
      if (JSON.stringify(rankCodings(field)) !== JSON.stringify(expected))
        t.strictSame(rankCodings(field), expected, JSON.stringify(field))
    }
    t.pass()
  })
}

t.test('what is sent in the world', async (t) => {
  const rows: [string | undefined, readonly Name[]][] = [
    [undefined, ['identity']],
    ['', ['identity']],
    ['gzip, deflate, br, zstd', ['br', 'zstd', 'gzip', 'identity']],
    ['gzip, deflate', ['gzip', 'identity']],
    ['deflate, gzip;q=1.0, *;q=0.5', ['gzip', 'br', 'zstd', 'identity']],
    ['identity', ['identity']],
    ['identity;q=1, *;q=0', ['identity']],
    ['*', ['br', 'zstd', 'gzip', 'identity']],
    ['*;q=0', []],
    ['identity;q=0', []],
    ['gzip;q=0.5, identity', ['identity', 'gzip']],
    ['gzip;q=0', ['identity']],
    ['br;q=0.2, gzip;q=0.8', ['gzip', 'br', 'identity']],
    ['gzip;q=1, gzip;q=0', ['identity']],
    ['gzip;level=3', ['identity']],
    ['gzip br', ['identity']],
    [`${'gzip, '.repeat(300)}br`, ['identity']],
  ]
  for (const [field, rank] of rows) t.strictSame(rankCodings(field), rank, field?.slice(0, 40) ?? 'none')
})

t.test('the same value costs nothing the second time, and made-up ones are not kept', async (t) => {
  t.equal(rankCodings('gzip, br'), rankCodings('gzip, br'))
  const first = rankCodings('gzip, br;q=0.9')
  for (let i = 0; i < 1000; i++) rankCodings(`gzip, made-up-${i}`)
  t.not(rankCodings('gzip, br;q=0.9'), first, 'forgotten')
  t.strictSame(rankCodings('gzip, br;q=0.9'), first)
})
