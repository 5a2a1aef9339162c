import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { takeSetupLock } from '../../../cli/setup/setup-lock.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

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
  const module = JSON.stringify(join(import.meta.dirname, '../../../cli/setup/setup-lock.ts'))
  const script = `const { takeSetupLock } = await import(${module})
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

for (const seed of seeds(20))
  t.test(`of many at once never two have it, while each takes its file away (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const path = join(t.testdir(), 'lock')
    let holders = 0
    let most = 0
    let had = 0
    const work = async (): Promise<void> => {
      for (let round = 0; round < 10; round++) {
        const lock = await takeSetupLock(path).catch(() => undefined)
        if (lock === undefined) continue
        most = Math.max(most, ++holders)
        had++
        for (let turns = random.integer(3); turns > 0; turns--) await new Promise((done) => setImmediate(done))
        holders--
        await lock[Symbol.asyncDispose]()
      }
    }
    await Promise.all(Array.from({ length: 6 }, work))
    t.equal(most, 1)
    t.ok(had > 0)
    t.notOk(existsSync(path))
  })
