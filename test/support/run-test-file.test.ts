import { join } from 'node:path'
import t from 'tap'
import { printSummary } from './report.ts'
import { runTestFile } from './run-test-file.ts'

/** Plenty for one small file on a loaded machine; the hanging file alone waits it out, with its own limit. */
const TIMEOUT_MS = 60_000
const HANG_LIMIT_MS = 1500

const folder = t.testdir({
  'passes.ts': `import t from 'tap'\nt.test('outer', async (t) => { t.ok(true); t.test('inner', async (t) => { t.equal(1, 1) }) })`,
  'fails.ts': `import t from 'tap'\nt.test('outer', async (t) => { t.equal(1, 2, 'one is two'); t.ok(true) })`,
  'skips.ts': `import t from 'tap'\nt.ok(true)\nt.test('later', { skip: 'no tool' }, async () => {})\nt.test('some day', { todo: true })`,
  'throws.ts': `import t from 'tap'\nt.ok(true)\nprocess.on('exit', () => { process.stderr.write('last words\\n') })\nprocess.exit(7)`,
  'empty.ts': 'export const nothing = 1',
  'broken.ts': 'const = 1',
  'hangs.ts': `import { spawn } from 'node:child_process'
import t from 'tap'
const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' })
t.ok(true)
console.log('# child ' + child.pid)
setInterval(() => {}, 1000)`,
  'leaves.ts': `import { spawn } from 'node:child_process'
import t from 'tap'
spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' }).unref()
t.ok(true)
t.end()`,
})
const run = (name: string, timeoutMs = TIMEOUT_MS) => runTestFile(folder, join(folder, name), timeoutMs)

t.test('leaves are counted, not the subtests that hold them', async (t) => {
  t.match(await run('passes.ts'), { passed: 2, failures: [], skipped: [] })
})

t.test('a failed assertion is named with its path and shows its difference', async (t) => {
  const result = await run('fails.ts')
  t.equal(result.passed, 1)
  t.equal(result.failures.length, 1)
  t.equal(result.failures[0]?.name, 'outer > one is two')
  t.match(result.failures[0]?.detail, /-2[\s\S]*\+1/)
})

t.test('skipped and to-do tests are listed, and fail a strict run', async (t) => {
  const result = await run('skips.ts')
  t.equal(result.passed, 1)
  t.strictSame(result.failures, [])
  t.strictSame(result.skipped, ['later: no tool', 'some day: to do'])
  const lines = t.capture(console, 'log')
  t.equal(printSummary([result], { strict: false }), true)
  t.equal(printSummary([result], { strict: true }), false)
  const last = lines().at(-1)?.args[0]
  t.equal(last, '\n1 passed, 2 failed')
})

t.test('an early exit, a syntax error and a file without tests are failures', async (t) => {
  const thrown = await run('throws.ts')
  t.ok(thrown.failures.length > 0, 'an early exit')
  t.match(thrown.failures.map((failure) => failure.detail).join('\n'), /last words/, 'with its last words')
  const broken = await run('broken.ts')
  t.match(broken.failures[0]?.detail, /SyntaxError/)
  t.match((await run('empty.ts')).failures, [{ name: 'the file has no test' }])
  t.ok((await run('missing.ts')).failures.length > 0, 'a file that is not there')
})

t.test('a hanging file is killed with what it started', async (t) => {
  const result = await run('hangs.ts', HANG_LIMIT_MS)
  t.match(result.failures.at(-1)?.name, /did not end within 1.5 s/)
})

t.test('a process that a file leaves behind does not keep the runner waiting', async (t) => {
  t.match(await run('leaves.ts'), { passed: 1, failures: [] })
})

t.test('nothing tested is no success', async (t) => {
  t.capture(console, 'log')
  t.equal(printSummary([], { strict: false }), false)
})
