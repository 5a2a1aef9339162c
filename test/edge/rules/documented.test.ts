import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { RULE_FILES } from '../../../core/index.ts'
import { MAX_LINE_CHARS, MAX_LOOSE_RULES, MAX_RULES } from '../../../edge/rules/limits.ts'
import { parse } from './support.ts'

const read = (page: string): string => readFileSync(join(import.meta.dirname, '../../../docs', page), 'utf8')
const examplesOf = (text: string): string[] =>
  [...text.matchAll(/^```\n(.*?)^```/gms)].map(([, example]) => String(example))

t.test('what the pages show is understood', async (t) => {
  const redirects = examplesOf(read('redirects.md'))
  const headers = examplesOf(read('headers.md'))
  t.ok(redirects.length > 0 && headers.length > 0)
  for (const text of redirects) {
    const { rules, faults } = parse({ redirects: text })
    t.strictSame(faults, [])
    t.ok(rules.redirects.length > 5)
  }
  for (const text of headers) {
    const { rules, faults } = parse({ headers: text })
    t.strictSame(faults, [])
    t.ok(rules.headers.length > 2)
  }
})

t.test('what the pages say may not be set cannot be', async (t) => {
  const [list = ''] = /Not to be set is.*?`Location`/s.exec(read('headers.md')) ?? []
  const names = [...list.matchAll(/`([\w-]+)…?`/g)].map(([, name]) => String(name))
  t.ok(names.length > 15, `${names.length} names`)
  for (const name of names) {
    const full = name.endsWith('-') ? `${name}x` : name
    t.match(parse({ headers: `/*\n  ${full}: 1\n` }).faults[0]?.message, 'is set by the node itself', full)
    t.match(parse({ headers: `/*\n  ! ${full}\n` }).faults[0]?.message, 'is set by the node itself', `! ${full}`)
  }
  for (const value of ['a\0b', 'a\x0bb', 'ü', 'a\u2028b'])
    t.equal(parse({ headers: `/*\n  x: ${value}\n` }).faults.length, 1)
})

t.test('limits are as the page says', async (t) => {
  const text = read('redirects.md')
  for (const limit of [MAX_RULES, MAX_LINE_CHARS, MAX_LOOSE_RULES]) t.match(text, limit.toLocaleString('en'))
  t.strictSame(RULE_FILES, ['_headers', '_redirects'])
})
