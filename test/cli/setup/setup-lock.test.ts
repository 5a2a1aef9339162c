import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { takeSetupLock } from '../../../cli/setup/setup-lock.ts'

const MODULE = join(import.meta.dirname, '../../../cli/setup/setup-lock.ts')
const refused = { code: 'MAKI_CONFLICT', message: /somebody else/ }

t.test('one has it at a time, and nothing is left of it', async (t) => {
  const path = join(t.testdir(), 'lock')
  const first = await takeSetupLock(path)
  await t.rejects(takeSetupLock(path), refused)
  t.equal(statSync(path).mode & 0o777, 0o600, 'who can open a file can lock it')
  await first[Symbol.asyncDispose]()
  t.notOk(existsSync(path))
  const second = await takeSetupLock(path)
  await second[Symbol.asyncDispose]()
})

t.test('it ends with the process, however that ends; what is left of it is in nobody’s way', async (t) => {
  const path = join(t.testdir(), 'lock')
  const script = `const { takeSetupLock } = await import(${JSON.stringify(MODULE)})
await takeSetupLock(${JSON.stringify(path)}); console.log('has it'); setInterval(() => {}, 1000)`
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(holder.stdout, 'data')
  await t.rejects(takeSetupLock(path), refused)
  holder.kill('SIGKILL')
  await once(holder, 'close')
  t.ok(existsSync(path))
  const next = await takeSetupLock(path)
  await next[Symbol.asyncDispose]()
})

t.test('a link in its place is not followed', async (t) => {
  const folder = t.testdir()
  writeFileSync(join(folder, 'other'), 'of others')
  symlinkSync('other', join(folder, 'lock'))
  await t.rejects(takeSetupLock(join(folder, 'lock')), { code: 'ELOOP' })
})

/** Takes it again and again; counts how many have it at a time in what all share. */
const CONTENDER = `
const { workerData: { module, path, rounds, shared } } = require('node:worker_threads')
const [holders, most, had] = [0, 1, 2]
const numbers = new Int32Array(shared)
import(module).then(async ({ takeSetupLock }) => {
  for (let round = 0; round < rounds; round++) {
    const lock = await takeSetupLock(path).catch((error) => {
      if (error.code !== 'MAKI_CONFLICT') throw error
    })
    if (lock === undefined) continue
    const now = Atomics.add(numbers, holders, 1) + 1
    if (now > 1) Atomics.store(numbers, most, now)
    Atomics.add(numbers, had, 1)
    await new Promise((done) => setImmediate(done))
    Atomics.sub(numbers, holders, 1)
    await lock[Symbol.asyncDispose]()
  }
})`

t.test('of many at once never two have it, while each takes its file away', async (t) => {
  const path = join(t.testdir(), 'lock')
  const shared = new SharedArrayBuffer(12)
  const workerData = { module: MODULE, path, rounds: 500, shared }
  const contenders = Array.from({ length: 4 }, () => new Worker(CONTENDER, { eval: true, workerData }))
  await Promise.all(contenders.map((contender) => once(contender, 'exit')))
  const [holders, most, had] = new Int32Array(shared)
  t.strictSame([holders, most], [0, 0])
  t.ok((had as number) > 10, `${had} times`)
  t.notOk(existsSync(path))
})
