import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { compilePowerCut, PowerCutDisk, type PowerCutOptions } from './power-cut.ts'
import { createRandom, seeds } from './seeds.ts'

/** The layer itself: what a program did not sync is gone after the cut, what it synced is there. */

const library = compilePowerCut(t.testdir({}))

/** Runs a program that writes to a folder and is killed without having closed anything; then the power is cut. */
function writeAndCut(t: Test, script: string, options: PowerCutOptions & { before?: (folder: string) => void } = {}) {
  const folder = join(t.testdir({}), 'disk')
  mkdirSync(folder)
  options.before?.(folder)
  const disk = new PowerCutDisk(folder, library, options)
  runKilled(script, disk)
  disk.cut()
  return folder
}

function runKilled(script: string, disk: PowerCutDisk): void {
  const prelude = `const fs = require('fs'); const dir = process.argv[1] + '/';
    const sync = (path) => { const fd = fs.openSync(dir + path, 'r'); fs.fsyncSync(fd); fs.closeSync(fd) };`
  const end = `process.kill(process.pid, 'SIGKILL')`
  const env = { ...process.env, ...disk.env }
  try {
    execFileSync(process.execPath, ['-e', `${prelude}(async () => {${script};${end}})()`, disk.folder], { env })
  } catch (error) {
    if ((error as { signal?: string }).signal !== 'SIGKILL') throw error
  }
}

const read = (folder: string, name: string): string | undefined =>
  existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : undefined

t.test('a write without fsync is lost, one with it is kept', async (t) => {
  const before = (folder: string) => writeFileSync(join(folder, 'file'), 'old ')
  const append = `const fd = fs.openSync(dir + 'file', 'a'); fs.writeSync(fd, 'synced ')`
  t.equal(read(writeAndCut(t, append, { before }), 'file'), 'old ')
  t.equal(read(writeAndCut(t, `${append}; fs.fsyncSync(fd)`, { before }), 'file'), 'old synced ')
  t.equal(read(writeAndCut(t, `${append}; fs.fdatasyncSync(fd)`, { before }), 'file'), 'old synced ')
  const more = `${append}; fs.fsyncSync(fd); fs.writeSync(fd, 'not synced')`
  t.equal(read(writeAndCut(t, more, { before }), 'file'), 'old synced ')
  const opened = `const fd = fs.openSync(dir + 'file', fs.constants.O_RDWR | fs.constants.O_APPEND | fs.constants.O_DSYNC)`
  t.equal(read(writeAndCut(t, `${opened}; fs.writeSync(fd, 'through')`, { before }), 'file'), 'old through')
  const asynchronous = `const file = await fs.promises.open(dir + 'file', 'a'); await file.writeFile('async'); await file.sync()`
  t.equal(read(writeAndCut(t, asynchronous, { before }), 'file'), 'old async', 'from the thread pool')
})

t.test('names are durable with their folder', async (t) => {
  const create = `fs.writeFileSync(dir + 'new', 'x', { flush: true })`
  t.equal(read(writeAndCut(t, create), 'new'), undefined, 'the file was synced, its folder was not')
  t.equal(read(writeAndCut(t, create, { names: 'linux' }), 'new'), 'x', 'as file systems of Linux do it')
  t.equal(read(writeAndCut(t, `${create}; sync('')`), 'new'), 'x')
  t.equal(read(writeAndCut(t, `fs.writeFileSync(dir + 'new', 'x'); sync('')`), 'new'), '', 'a name without content')
  const before = (folder: string) => {
    mkdirSync(join(folder, 'sub'))
    writeFileSync(join(folder, 'a'), 'a')
  }
  const rename = `fs.renameSync(dir + 'a', dir + 'sub/b')`
  t.equal(read(writeAndCut(t, rename, { before }), 'a'), 'a')
  const half = writeAndCut(t, `${rename}; sync('sub')`, { before })
  t.same([read(half, 'a'), read(half, 'sub/b')], ['a', 'a'], 'each folder for itself')
  const whole = writeAndCut(t, `${rename}; sync('sub'); sync('')`, { before })
  t.same([read(whole, 'a'), read(whole, 'sub/b')], [undefined, 'a'])
  t.equal(read(writeAndCut(t, `fs.unlinkSync(dir + 'a')`, { before }), 'a'), 'a', 'a removal that was not synced')
  t.equal(read(writeAndCut(t, `fs.unlinkSync(dir + 'a'); sync('')`, { before }), 'a'), undefined)
  const nested = `fs.mkdirSync(dir + 'x/y', { recursive: true }); fs.writeFileSync(dir + 'x/y/z', 'z', { flush: true })`
  t.equal(
    read(writeAndCut(t, `${nested}; sync('x/y'); sync('x')`), 'x/y/z'),
    undefined,
    'the folder above is not there',
  )
  t.equal(read(writeAndCut(t, `${nested}; sync('x/y'); sync('x'); sync('')`), 'x/y/z'), 'z')
  t.equal(read(writeAndCut(t, nested, { names: 'linux' }), 'x/y/z'), 'z')
})

t.test('an unlinked file keeps its content for the name that is still durable', async (t) => {
  const before = (folder: string) => writeFileSync(join(folder, 'old'), 'old content')
  const reuse = `fs.unlinkSync(dir + 'old');
    for (let i = 0; i < 50; i++) fs.writeFileSync(dir + 'n' + i, 'new', { flush: true })`
  const folder = writeAndCut(t, reuse, { before })
  t.same(readdirSync(folder), ['old'])
  t.equal(read(folder, 'old'), 'old content')
})

t.test('sync -f in a child process counts for all', async (t) => {
  const script = `fs.mkdirSync(dir + 'sub'); fs.writeFileSync(dir + 'sub/new', 'x');
    require('child_process').execFileSync('sync', ['-f', dir]); fs.writeFileSync(dir + 'sub/late', 'x')`
  t.same(readdirSync(join(writeAndCut(t, script), 'sub')), ['new'])
  t.same(readdirSync(writeAndCut(t, script, { ignore: ['files', 'folders'] })), [])
})

t.test('with the deliberate fault nothing is durable', async (t) => {
  const script = `fs.writeFileSync(dir + 'new', 'x', { flush: true }); sync('')`
  t.equal(read(writeAndCut(t, script, { ignore: ['files'] }), 'new'), '')
  t.equal(read(writeAndCut(t, script, { ignore: ['folders'] }), 'new'), undefined)
})

t.test('what is there after a cut is durable for the next one', async (t) => {
  const folder = join(t.testdir({}), 'disk')
  mkdirSync(folder)
  const disk = new PowerCutDisk(folder, library)
  runKilled(`fs.writeFileSync(dir + 'one', '1', { flush: true }); sync('')`, disk)
  disk.cut()
  runKilled(
    `fs.appendFileSync(dir + 'one', 'lost'); fs.writeFileSync(dir + 'two', '2', { flush: true }); sync('')`,
    disk,
  )
  disk.cut()
  t.same([read(folder, 'one'), read(folder, 'two')], ['1', '2'])
})

for (const seed of seeds(20)) {
  t.test(`a random cut leaves of a file what was synced and any part of the rest (SEED=${seed})`, async (t) => {
    const folder = join(t.testdir({}), 'disk')
    mkdirSync(folder)
    const disk = new PowerCutDisk(folder, library)
    const synced = 'a'.repeat(10_000)
    writeFileSync(join(folder, 'log'), synced)
    disk.settle()
    writeFileSync(join(folder, 'log'), 'b'.repeat(5000), { flag: 'a' })
    disk.cut(createRandom(seed))
    const found = read(folder, 'log') ?? ''
    t.match(found, /^a{10000}b{0,5000}$/)
  })
}
