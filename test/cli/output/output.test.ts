import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { displayWidth, formatTable } from '../../../cli/output/table.ts'
import { count, formatBytes, plainLine } from '../../../cli/output/text.ts'
import { formatAgo, formatDuration, parseWhen } from '../../../cli/output/when.ts'
import { seeds } from '../../support/seeds.ts'

t.test('columns of a terminal', async (t) => {
  const cases: [string, number][] = [
    ['', 0],
    ['abc', 3],
    ['\u001b[31mred\u001b[39m', 3],
    ['über', 4],
    ['u\u0308ber', 4],
    ['日本', 4],
    ['한국', 4],
    ['👍', 2],
    ['👨‍👩‍👧', 2],
    ['e\u200b', 1],
  ]
  for (const [text, width] of cases) t.equal(displayWidth(text), width, JSON.stringify(text))
})

for (const seed of seeds(1)) {
  t.test(`a table is aligned whatever is in it (seed ${seed})`, async (t) => {
    const cell = fc
      .string({ unit: fc.constantFrom('a', 'b', ' ', 'ü', '日', '👍', '-'), maxLength: 8 })
      .map((text) => `x${text}x`)
    const rows = fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(rows, (lines) => {
        const text = formatTable(lines, ['A', 'B', 'C'])
        const starts = text
          .split('\n')
          .slice(1)
          .map((line, i) => displayWidth(line) - displayWidth(lines[i]![2]))
        return new Set(starts).size === 1 && text.split('\n').every((line) => line === line.trimEnd())
      }),
      { seed },
    )
    t.pass()
  })

  t.test(`a table loses nothing and wraps no column, however narrow the terminal (seed ${seed})`, async (t) => {
    const cell = fc.string({ unit: fc.constantFrom('a', 'ü', '日', '👍', '-'), maxLength: 30 })
    const rows = fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(rows, fc.boolean(), fc.integer({ min: 1, max: 120 }), (lines, headed, columns) => {
        const text = formatTable(lines, headed ? ['A', 'B', 'C'] : undefined, columns)
        const words = text.split(/\s+/)
        const [first = ''] = text.split('\n')
        const isTable = !headed || first.includes('  B') || lines.every(([, b, c]) => b === '' && c === '')
        const isWithin = text
          .split('\n')
          .every((line) => displayWidth(line.replace(/\S*$/, '')) <= Math.max(columns, 4))
        return lines.flat().every((part) => part === '' || words.includes(part)) && (isWithin || !isTable)
      }),
      { seed },
    )
    t.pass()
  })

  t.test(`text from elsewhere moves no cursor (seed ${seed})`, async (t) => {
    const hostile = fc.string({
      unit: fc.constantFrom('a', '\u001b', '[', '2', 'J', '\n', '\r', '\b', '\u009b', '\u202e', '\u0007', 'é'),
    })
    fc.assert(
      fc.property(hostile, (text) => {
        const plain = plainLine(text)
        // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
        return !/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/.test(plain) && stripVTControlCharacters(plain) === plain
      }),
      { seed },
    )
    t.equal(plainLine('a\u001b[2Jb\n'), 'a\\x1b[2Jb\\x0a')
    t.equal(plainLine('päth 日本'), 'päth 日本')
    t.equal(plainLine('a\u202etxt.exe\u2066\u061c\u200b\ud800'), 'a\\u202etxt.exe\\u2066\\u061c\\u200b\\ud800')
    t.equal(plainLine('👩‍👩‍👧 می‌خواهم 🇩🇪'), '👩‍👩‍👧 می‌خواهم 🇩🇪')
  })
}

t.test('sizes and counts', async (t) => {
  const sizes: [number, string][] = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [9949, '9.9 kB'],
    [12_345, '12 kB'],
    [999_499, '999 kB'],
    [999_500, '1.0 MB'],
    [5_300_000_000, '5.3 GB'],
    [9e15, '9000 TB'],
  ]
  for (const [bytes, text] of sizes) t.equal(formatBytes(bytes), text)
  t.same([count(1, 'file'), count(0, 'file'), count(2, 'child', 'children')], ['1 file', '0 files', '2 children'])
})

t.test('relative times', async (t) => {
  const second = 1000
  const day = 86_400 * second
  const cases: [number, string][] = [
    [0, 'just now'],
    [999, 'just now'],
    [second, '1 second ago'],
    [59 * second, '59 seconds ago'],
    [60 * second, '1 minute ago'],
    [3 * 3600 * second, '3 hours ago'],
    [day, '1 day ago'],
    [29 * day, '29 days ago'],
    [31 * day, '1 month ago'],
    [366 * day, '1 year ago'],
    [-5 * 60 * second, 'in 5 minutes'],
  ]
  for (const [age, text] of cases) t.equal(formatAgo(1e12, 1e12 + age), text)
  t.equal(formatDuration(500), undefined)
})

t.test('points in time as people type them', async (t) => {
  const now = Date.parse('2026-11-22T10:00:00Z')
  const cases: [string, string][] = [
    ['30m', '2026-11-22T09:30:00.000Z'],
    ['12h', '2026-11-21T22:00:00.000Z'],
    [' 7 d ', '2026-11-15T10:00:00.000Z'],
    ['2w', '2026-11-08T10:00:00.000Z'],
    ['2026-11-20', '2026-11-20T00:00:00.000Z'],
    ['2026-11-20 08:30', '2026-11-20T08:30:00.000Z'],
    ['2026-11-20T08:30:15Z', '2026-11-20T08:30:15.000Z'],
    ['2026-11-20T08:30:15+02:00', '2026-11-20T06:30:15.000Z'],
  ]
  for (const [text, iso] of cases) t.equal(new Date(parseWhen(text, now)).toISOString(), iso, text)
  for (const text of ['', 'soon', '7', '7y', '2026-13-01', '2026-02-31', '2026-11-20T25:00', '-7d', '1e3m']) {
    t.throws(() => parseWhen(text, now), { code: 'MAKI_USAGE' }, text)
  }
})

t.test('a cell that is very long moves what follows it on its own line alone', async (t) => {
  const key = 'k'.repeat(400)
  const lines = formatTable(
    [
      ['a', '192.0.2.1', 'x'],
      ['b', key, 'x'],
    ],
    ['N', 'VALUE', 'FROM'],
  ).split('\n')
  t.strictSame(lines, ['N  VALUE      FROM', 'a  192.0.2.1  x', `b  ${key}  x`])
})
