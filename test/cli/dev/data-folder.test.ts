import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { devFolderAt, makeDevFolder, putAside, putRemainsAside } from '../../../cli/dev/data-folder.ts'
import { lockDataFolder } from '../../../cli/dev/data-lock.ts'
import { controlSocketPath, makeSocketFolder } from '../../../cli/dev/socket-path.ts'
import { parseNodeName } from '../../../core/index.ts'
import { Child } from '../../support/child.ts'

const runtime = { now: () => Date.UTC(2026, 10, 22, 11, 0, 5) }

t.test('a data folder is private, and git leaves it out', async (t) => {
  const folder = devFolderAt(join(t.testdir(), 'deep', '.makiatto'))
  await makeDevFolder(folder)
  await makeDevFolder(folder)
  t.equal(statSync(folder.path).mode & 0o777, 0o700)
  t.equal(readFileSync(join(folder.path, '.gitignore'), 'utf8'), '*\n')
})

t.test('beside a cluster a second profile may lie', async (t) => {
  const path = t.testdir({ 'profile.toml': '', operator: {}, 'ann.toml': '', ann: {} })
  await makeDevFolder(devFolderAt(path))
  const alone = t.testdir({ 'profile.toml': '', ann: {} })
  await t.rejects(makeDevFolder(devFolderAt(alone)), { code: 'MAKI_USAGE', message: /ann/ }, 'a profile is no cluster')
})

t.test('a folder with something else in it is left alone', async (t) => {
  const path = t.testdir({ 'thesis.tex': 'five years of work' })
  await t.rejects(makeDevFolder(devFolderAt(path)), { code: 'MAKI_USAGE', message: /thesis\.tex/ })
  await t.rejects(makeDevFolder(devFolderAt(join(path, 'thesis.tex'))), { code: 'MAKI_USAGE' }, 'a file is no folder')
  t.strictSame(readdirSync(path), ['thesis.tex'])
})

t.test('starting over keeps everything under another name', async (t) => {
  const folder = devFolderAt(join(t.testdir({ data: { 'recovery.key': 'secret', node1: { 'node.log': '' } } }), 'data'))
  const kept = await putAside(folder, runtime)
  t.equal(kept, `${folder.path}.old-2026-11-22T11-00-05Z`)
  t.equal(readFileSync(join(kept as string, 'recovery.key'), 'utf8'), 'secret')
  t.notOk(existsSync(folder.path))
  t.equal(await putAside(folder, runtime), undefined, 'nothing is there to keep')
})

t.test('what a broken-off start left moves aside; a whole cluster stays', async (t) => {
  const broken = devFolderAt(t.testdir({ 'recovery.key': 'k', operator: {}, node12: {}, 'dev.lock': {} }))
  const to = await putRemainsAside(broken, runtime)
  t.strictSame(readdirSync(to as string).sort(), ['node12', 'operator', 'recovery.key'])
  t.equal(await putRemainsAside(broken, runtime), undefined)
  await t.resolves(makeDevFolder(broken), 'the remains are ours')
  writeFileSync(broken.profile, '')
  mkdirSync(broken.operator)
  t.equal(await putRemainsAside(broken, runtime), undefined)
})

t.test('one maki dev at a time', async (t) => {
  const folder = t.testdir()
  {
    await using _held = await lockDataFolder(folder)
    await t.rejects(lockDataFolder(folder), { code: 'MAKI_LOCKED', message: new RegExp(`process ${process.pid}`) })
  }
  await using _again = await lockDataFolder(folder)
})

t.test('the lock of a process that was killed is free at once, whatever it left behind', async (t) => {
  const folder = t.testdir()
  const module = new URL('../../../cli/dev/data-lock.ts', import.meta.url).href
  const script = `import(${JSON.stringify(module)}).then((m) => m.lockDataFolder(${JSON.stringify(folder)})).then(() => console.log('held'))
    setInterval(() => {}, 1000)`
  await using child = new Child(process.execPath, ['-e', script])
  await child.waitForLine((line) => line === 'held')
  await t.rejects(lockDataFolder(folder), { code: 'MAKI_LOCKED', message: new RegExp(`process ${child.pid}`) })
  child.kill('SIGKILL')
  await child.ended
  await using _held = await lockDataFolder(folder)
})

t.test('of many that want a lock at once exactly one gets it', async (t) => {
  const folder = t.testdir({ 'dev.lock.pid': `${2 ** 30}\n` })
  const tries = await Promise.allSettled(Array.from({ length: 8 }, () => lockDataFolder(folder)))
  t.equal(tries.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const held of tries) if (held.status === 'fulfilled') await held.value[Symbol.asyncDispose]()
})

t.test('control sockets: beside the node, or in a short folder of one’s own where that is too long', async (t) => {
  const name = parseNodeName('node1')
  t.equal(controlSocketPath({ folder: '/data/node1', name }, {}), '/data/node1/control.sock')
  const runtimeDir = t.testdir()
  const env = { XDG_RUNTIME_DIR: runtimeDir }
  const long = `/${'ä'.repeat(60)}/node1`
  const path = controlSocketPath({ folder: long, name }, env)
  t.ok(path.startsWith(`${runtimeDir}/`))
  t.equal(path, controlSocketPath({ folder: long, name }, env), 'always the same')
  t.not(path, controlSocketPath({ folder: `${long}x`, name }, env))
  await makeSocketFolder(path)
  t.equal(statSync(dirname(path)).mode & 0o777, 0o700)
})
