import t from 'tap'
import { Findings, formatPath } from '../../../cli/config/findings.ts'
import { parseToml } from '../../../cli/config/toml.ts'

t.test('what has a fault at it, above it or below it is not sound', async (t) => {
  const findings = new Findings(parseToml('', 'f'))
  t.ok(findings.isSound([]))
  findings.fault(['domain', 1, 'records'], 'wrong')
  for (const path of [[], ['domain'], ['domain', 1], ['domain', 1, 'records'], ['domain', 1, 'records', 0, 'type']])
    t.notOk(findings.isSound(path), formatPath(path))
  for (const path of [['domain', 0], ['domain', 1, 'name'], ['project'], ['domain', 11]])
    t.ok(findings.isSound(path), formatPath(path))
})

t.test('paths are written as in TOML', async (t) => {
  t.equal(formatPath([]), '')
  t.equal(formatPath(['a', 0, 'b-c', 1, 2, 'd e']), 'a[0].b-c[1][2]."d e"')
})

t.test('each of several faults has its own hint below it, and none stands twice', async (t) => {
  const findings = new Findings(parseToml('a = 1\nb = 2\nc = 3\nd = 4', 'f'))
  findings.throwFaults()
  findings.fault(['c'], 'third', { hint: 'Go there.' })
  t.throws(() => findings.throwFaults(), { message: 'f:3:5: c: third', hint: 'Go there.' })
  findings.fault(['b'], 'second')
  findings.fault(['a'], 'first', { hint: 'Write:\n\n  x' })
  findings.fault(['d'], 'fourth', { hint: 'Go there.' })
  t.throws(() => findings.throwFaults(), {
    message:
      'f has 4 faults:\n  f:1:5: a: first\n    Try: Write:\n\n      x\n  f:2:5: b: second\n  f:3:5: c: third\n    Try: Go there.\n  f:4:5: d: fourth',
    hint: /Correct these lines/,
  })
})
