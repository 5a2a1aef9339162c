import t from 'tap'
import { parseUnitState } from '../../../cli/setup/daemon-unit.ts'
import { lastLines, parseVersionName, versionMark } from '../../../cli/setup/versions.ts'

t.test('what systemd says of a unit', async (t) => {
  const text = 'MainPID=12\nActiveState=active\nSubState=running\nInvocationID=ab=cd\nResult=success\n'
  t.strictSame(parseUnitState(text), {
    active: 'active',
    sub: 'running',
    mainPid: 12,
    invocation: 'ab=cd',
    result: 'success',
  })
  for (const strange of ['', 'MainPID=x', 'nothing here'])
    t.match(parseUnitState(strange), { active: '', mainPid: 0, invocation: '' }, strange)
})

t.test('the name of a version is 64 hexadecimal digits, and nothing else', async (t) => {
  const name = '0123456789abcdef'.repeat(4)
  t.equal(parseVersionName(name), name)
  t.equal(versionMark(name), `/versions/${name}/`)
  for (const wrong of ['', name.toUpperCase(), `${name}0`, name.slice(1), `../${name.slice(3)}`, `${name}\n`])
    t.throws(() => parseVersionName(wrong), { code: 'MAKI_INVALID' }, JSON.stringify(wrong))
})

t.test('the end of what a program said is one plain line of bounded length', async (t) => {
  t.equal(lastLines('a\n\n b \nc\nd\n'), 'b / c / d')
  const hostile = lastLines(`\u001b[2J\u0007${'x'.repeat(10_000)}\n\u202e`)
  t.ok(hostile.length <= 600)
  t.notMatch(hostile, /\p{Cc}|\p{Cf}/u)
})
