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
