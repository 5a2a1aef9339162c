import t from 'tap'
import { formatMasterFile, parseMasterFile } from '../../../dns/index.ts'
import { MAX_ENTRY_CHARACTERS } from '../../../dns/master-file/scan-entries.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { host } from '../cluster-state.ts'
import { listRecords, randomSets } from './random-sets.ts'

const apex = host('example.com')
const parse = (text: string) => parseMasterFile(Buffer.from(text, 'latin1'), { origin: apex })
const recordsOf = (text: string) =>
  listRecords(
    parse(text).records.map((record) => ({ ...record, values: record.value === undefined ? [] : [record.value] })),
  )

for (const seed of seeds(20)) {
  t.test(`what is written is read again, in whatever order it comes (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const sets = randomSets(random, apex, { count: 80, ours: true })
    const text = formatMasterFile(apex, sets, ['A zone.', 'line\nbreak IN A 192.0.2.1'])
    t.equal(parse(text).faultCount, 0)
    t.strictSame(recordsOf(text), listRecords(sets))
    t.equal(formatMasterFile(apex, random.shuffle(sets), ['A zone.', 'line\nbreak IN A 192.0.2.1']), text)
  })

  t.test(`the same records in another layout are the same (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const text = formatMasterFile(apex, randomSets(random, apex, { count: 60, ours: true }), [])
    t.strictSame(recordsOf(relayout(random, text)), recordsOf(text))
  })

  t.test(`garbage is counted and ends nothing (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const valid = formatMasterFile(apex, randomSets(random, apex, { count: 20, ours: true }), [])
    for (let i = 0; i < 30; i++) {
      const bytes = Buffer.from(valid, 'latin1')
      for (let n = random.integer(20); n >= 0; n--) {
        bytes[random.integer(bytes.length)] = random.chance(0.5)
          ? 1 + random.integer(255)
          : random.pick([...'()";\\$@\n'].map((c) => c.charCodeAt(0)))
      }
      const { records, faults, faultCount } = parseMasterFile(bytes, { origin: apex })
      if (faults.some(({ line, message, hint }) => line < 1 || message === '' || hint === ''))
        t.fail('a fault says too little')
      if (faultCount < faults.length) t.fail('faults are counted')
      if (records.some(({ name, geo, value }) => name === undefined || (value === undefined) !== geo))
        t.fail('half a record')
    }
    t.pass('no exception')
  })
}

/** The same file as somebody else would lay it out: parentheses, comments, owners left out, other spaces, other case. */
function relayout(random: ReturnType<typeof createRandom>, text: string): string {
  const lines: string[] = []
  let owner = ''
  for (const line of text.split('\n')) {
    const match = /^([^;$ ]\S*) +([0-9]+) IN (\S+) ([^"]*)$/.exec(line)
    if (match === null) {
      if (line !== '' && !line.startsWith('$') && !line.startsWith(';')) owner = line.split(' ')[0] as string
      lines.push(line)
      continue
    }
    const [, name = '', ttl = '', type = '', data = ''] = match
    const shown =
      name === owner && random.chance(0.5) ? ' ' : name === '@' || random.chance(0.3) ? name : `${name}.EXAMPLE.com.`
    const head = random.pick([`${ttl} IN`, `in ${ttl}`, `${ttl}`, `${ttl}s\tIN`])
    const words = data.split(' ').join(random.pick([' ', '\t', '  ']))
    const layout = random.pick([
      `${shown} ${head} ${type.toLowerCase()} ${words}`,
      `${shown} ( ${head}\n ${type} ; why not\n ${words} )`,
      `${shown} ${head} ${type} (${words}\n)\r`,
      `${shown}\t${head}\t${type}\t${words} ; "a ( comment`,
    ])
    lines.push(layout)
    owner = name
  }
  return lines.join('\n')
}

t.test('time follows the size, whatever stands in the file', async (t) => {
  const size = 1_000_000
  const files: Record<string, string> = {
    'open parentheses': '('.repeat(size),
    'lines that open one': 'a A ( 192.0.2.1\n'.repeat(size / 16),
    'one quote': `a TXT "${'x'.repeat(size)}`,
    quotes: '"'.repeat(size),
    'lines with a quote': 'a TXT "\n'.repeat(size / 8),
    backslashes: '\\'.repeat(size),
    'a long name': `${'a.'.repeat(size / 2)} A 192.0.2.1`,
    'an escaped name': `${'\\065.'.repeat(size / 5)} A 192.0.2.1`,
    'a long TXT': `a TXT ${'"x" '.repeat(size / 4)}`,
    'a long TTL': `a ${'1h'.repeat(size / 2)} A 192.0.2.1`,
    'long words': `a HTTPS 1 . alpn=${'"a'.repeat(size / 2)}`,
    'what is no TTL': `a 1${'x'.repeat(MAX_ENTRY_CHARACTERS - 100)} A 192.0.2.1`,
    newlines: '\n'.repeat(size),
    blanks: ' '.repeat(size),
    generators: '$GENERATE 0-65535 a$ A 300.0.0.1\n'.repeat(size / 33),
    'octets above ASCII': `a TXT "${'\xff'.repeat(MAX_ENTRY_CHARACTERS - 100)}"\n`.repeat(6),
    'hexadecimal digits': `a TYPE65280 \\# 9 ${'ab '.repeat(size / 3)}`,
  }
  for (const [title, text] of Object.entries(files)) {
    const { faultCount, faults } = parse(text)
    t.ok(faults.length <= 100 && faultCount >= faults.length, `${title}: ${faultCount} faults`)
    const long = faults.find(({ message, hint, text }) => message.length + hint.length + text.length > 1000)
    t.equal(long, undefined, 'none of which is told at length')
  }
})

t.test('what all $GENERATE lines stand for is bounded like what a file says itself', async (t) => {
  const { faults } = parse('$GENERATE 0-65535 a$ A 300.0.0.1\n'.repeat(50))
  t.match(faults[0]?.message, /300\.0\.0\.1/)
  t.match(faults.at(-1)?.message, /longer than a file may be/)
})

t.test('what is too large or no text is refused', async (t) => {
  const refuse = (bytes: Uint8Array, code: string, message: RegExp) =>
    t.throws(() => parseMasterFile(bytes, { origin: apex }), { code, message, hint: /./ })
  refuse(new Uint8Array(64 * 1024 * 1024 + 1), 'MAKI_TOO_LARGE', /67108865 bytes/)
  refuse(Buffer.from('a A 192.0.2.1\n', 'utf16le'), 'MAKI_INVALID', /UTF-16/)
  refuse(Buffer.from('a SOA\n'.repeat(1_000_001)), 'MAKI_TOO_LARGE', /1000000 records/)
})
