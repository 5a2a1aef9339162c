import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { explainFault, FORBIDDEN_HINT, isForbidden } from '../../../cli/setup/explain-fault.ts'
import { MakiError } from '../../../core/index.ts'

const failWith = (code: string): Error =>
  Object.assign(new Error(`${code}: no, open '/etc/x'`), { code, path: '/etc/x' })

t.test('what the superuser cannot change is named, with why and what to look at', async (t) => {
  const cases: readonly [code: string, message: RegExp, hint: RegExp][] = [
    ['EPERM', /does not let its superuser change \/etc\/x \(EPERM: no/, /SELinux/],
    ['EACCES', /does not let its superuser change \/etc\/x/, /lsattr/],
    ['EROFS', /\/etc\/x can only be read/, /findmnt/],
    ['ENOSPC', /no room for \/etc\/x/, /df -h/],
    ['EDQUOT', /no room for \/etc\/x/, /df -h/],
  ]
  for (const [code, message, hint] of cases) {
    const fault = failWith(code)
    t.match(explainFault(fault), { code: 'MAKI_UNSUPPORTED', message, hint, cause: fault }, code)
  }
})

t.test('of a link and of a move the new name is told', async (t) => {
  const fault = Object.assign(failWith('EPERM'), { dest: '/usr/local/bin/y' })
  t.match(explainFault(fault).message, /superuser change \/usr\/local\/bin\/y \(/)
})

t.test('an error of the system says it as it is', async (t) => {
  const folder = join(t.testdir(), 'closed')
  mkdirSync(folder)
  writeFileSync(join(folder, 'is-a-file'), '')
  chmodSync(folder, 0o500)
  const fault = await writeFile(join(folder, 'is-a-file', 'x'), '').catch((thrown: unknown) => thrown)
  t.match(explainFault(fault), { code: 'MAKI_INTERNAL', message: /ENOTDIR.*is-a-file\/x/ })
})

t.test('what was explained, or is no error, stays what it is', async (t) => {
  const own = new MakiError('MAKI_CONFLICT', 'somebody else', { cause: failWith('EPERM') })
  t.equal(explainFault(own), own)
  for (const thrown of ['EPERM', undefined, { code: 'EPERM' }])
    t.equal(explainFault(thrown).code, 'MAKI_INTERNAL', String(thrown))
})

t.test('programs that were not let do their work are known by what they say', async (t) => {
  for (const said of [
    'useradd: cannot open /etc/passwd',
    'useradd: cannot lock /etc/group; try again later.',
    "ln: failed to create symbolic link '/etc/x': Operation not permitted",
    'Failed to enable unit: Permission denied',
    "cp: cannot create regular file '/etc/x': Read-only file system",
  ])
    t.ok(isForbidden(said), said)
  for (const said of ['', 'useradd: user makiatto exists', 'Job for x.service failed']) t.notOk(isForbidden(said), said)
  t.match(FORBIDDEN_HINT, /lsattr/)
})
