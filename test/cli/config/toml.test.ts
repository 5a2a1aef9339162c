import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parseToml, readToml } from '../../../cli/config/toml.ts'
import { formatTomlValue } from '../../../cli/config/toml-format.ts'
import { MakiError } from '../../../core/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

function faultOf(text: string): string {
  try {
    parseToml(text, 'f.toml')
  } catch (thrown) {
    if (thrown instanceof MakiError && thrown.code === 'MAKI_CONFIG') return thrown.message
    throw thrown
  }
  return 'no fault'
}

t.test('a syntax error shows place, line, caret and what was expected', async (t) => {
  t.equal(
    faultOf('[[domain]]\nname = "a.org"\npath = \nspa = true'),
    'f.toml:3:8: a value is missing\n' +
      '  3 | path = \n' +
      '    |        ^ expected: text in quotes, a number, true, false, [an array] or {a table}',
  )
  t.equal(
    faultOf('\tname = "é'),
    'f.toml:1:11: a text has no closing quote\n  1 |  name = "é\n    |           ^ expected: the closing quote on the same line',
  )
  t.match(faultOf('a = 1\r\na = 2\r\n'), /^f\.toml:2:1: this key or table stands twice\n {2}2 \| a = 2\n/)
  t.match(faultOf('a 1'), /expected: = and a value$/)
  t.match(faultOf('a = [1, 2'), /^f\.toml:1:10: an array is not closed/)
  t.match(faultOf('a = "\\q"'), /there is no such escape/)
  for (const next of ['b = 1', '[[domain]]', '\n\n[a]', '  b.c = 1'])
    t.match(faultOf(`x = 1\npath = # not yet\n${next}\n`), /^f\.toml:2:8: a value is missing\n/, next)
})

t.test('a long line is cut around the fault, and control characters do not reach the terminal', async (t) => {
  const message = faultOf(`a = "${'x'.repeat(5000)}" "${'y'.repeat(5000)}"`)
  const [, line = '', caret = ''] = message.split('\n')
  t.ok(line.length < 120)
  t.equal(line[caret.indexOf('^')], '"')
  t.notOk(/[^\P{Cc}\n]/u.test(faultOf('a = "\u001b[31m" "')))
})

t.test('nesting without end, other encodings and large files are refused, not crashed on', async (t) => {
  t.match(faultOf(`a = ${'['.repeat(50_000)}${']'.repeat(50_000)}`), 'nested too deeply')
  const folder = t.testdir({})
  const file = join(folder, 'x.toml')
  await writeFile(file, Buffer.from([0x61, 0x0a, 0x3d, 0xff]))
  await t.rejects(readToml(file, 'x.toml'), { code: 'MAKI_CONFIG', message: 'x.toml:2: the file is not UTF-8 text' })
  await writeFile(file, Buffer.alloc(5 * 1024 * 1024, 0x23))
  await t.rejects(readToml(file, 'x.toml'), { code: 'MAKI_CONFIG', message: /bytes, 4194304 are allowed/ })
})

t.test('values know where they stand', async (t) => {
  const { values, locate } = parseToml(
    '\ufefftop = 1\n[[d]]\n  name = "x"\n  list = [1,\n   { b.c = 2 }]\n[[d]]\n[d.sub]\nq = 1\n["a.b"]\n',
    'f',
  )
  t.same(JSON.parse(JSON.stringify(values)), {
    top: 1,
    d: [{ name: 'x', list: [1, { b: { c: 2 } }] }, { sub: { q: 1 } }],
    'a.b': {},
  })
  t.same(locate(['top']), { line: 1, column: 7 })
  t.same(locate(['d', 0, 'name'], 'key'), { line: 3, column: 3 })
  t.same(locate(['d', 0, 'name']), { line: 3, column: 10 })
  t.same(locate(['d', 0, 'list', 1, 'b', 'c']), { line: 5, column: 12 })
  t.same(locate(['d', 1, 'sub', 'q']), { line: 8, column: 5 })
  t.same(locate(['d', 1, 'nothing']), { line: 6, column: 1 }, 'what is absent is found at the table around it')
  t.same(locate(['nothing']), { line: 1, column: 1 })
})

t.test('a key cannot reach the prototype', async (t) => {
  const { values } = parseToml('__proto__ = { polluted = 1 }\n[constructor]\nprototype = 1\n', 'f')
  t.equal((Object.prototype as Record<string, unknown>).polluted, undefined)
  t.same(Object.keys(values), ['__proto__', 'constructor'])
})

for (const seed of seeds(40)) {
  t.test(`written values read back the same (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const alphabet = ['a', '"', '\\', '\n', '\t', '\u0000', '\u007f', 'é', '🦊', "'", '#', '=', '\u2028']
    const text = Array.from({ length: random.integer(20) }, () => random.pick(alphabet)).join('')
    for (const value of [
      text,
      random.next() * 1e6,
      random.integer(1e9) - 5e8,
      random.chance(0.5),
      [text, text],
      1e21,
      1e-7,
    ])
      t.same(parseToml(`v = ${formatTomlValue(value)}`, 'f').values.v, value)
  })

  t.test(`any text is read or refused with a place (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const pieces = [
      '[',
      ']',
      '[[',
      ']]',
      'a',
      'b',
      '.',
      '=',
      '"',
      "'",
      '\n',
      '{',
      '}',
      ',',
      '1',
      'true',
      '#',
      '\\',
      '"""',
      '2026-01-01',
      '\u0000',
      'é',
    ]
    for (let i = 0; i < 50; i++) {
      const text = Array.from({ length: 1 + random.integer(20) }, () => random.pick(pieces)).join('')
      t.match(faultOf(text), /^(no fault$|f\.toml:\d+:\d+: )/)
    }
  })
}
