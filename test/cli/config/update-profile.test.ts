import { fork } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadProfile, lockProfile, updateProfile } from '../../../cli/config/index.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { parseNodeName } from '../../../core/index.ts'
import { createTestCluster } from '../../support/histories.ts'

const cluster = createTestCluster().id
const MODULE = new URL('../../../cli/config/index.ts', import.meta.url).href
const SYSTEM = new URL('../../../cli/system.ts', import.meta.url).href

t.test('of many commands at once none loses what another wrote', async (t) => {
  const folder = t.testdir()
  const env = { HOME: folder }
  const file = join(folder, 'profile.toml')
  const script = join(folder, 'edit.mjs')
  writeFileSync(
    script,
    `import { updateProfile } from ${JSON.stringify(MODULE)}
import { systemRuntime } from ${JSON.stringify(SYSTEM)}
setInterval(() => {}, 1000).unref()
const [, , file, home, cluster, name] = process.argv
const keep = setInterval(() => {}, 1000)
await updateProfile(file, { HOME: home }, systemRuntime, (present) => {
  const profile = present ?? { file, cluster, machines: [], dataFolder: home + '/data' }
  return { ...profile, machines: [...profile.machines, { name, sshTarget: 'root@' + name + '.test', isNameserver: false }] }
})
clearInterval(keep)
`,
  )
  const names = Array.from({ length: 6 }, (_, i) => `m${i}`)
  const codes = await Promise.all(
    names.map((name) => {
      const { promise, resolve } = Promise.withResolvers<number | null>()
      fork(script, [file, folder, cluster, name]).once('close', resolve)
      return promise
    }),
  )
  t.strictSame(
    codes,
    names.map(() => 0),
  )
  const { machines } = await loadProfile(file, env)
  t.strictSame(machines.map(({ name }) => String(name)).sort(), names)
})

t.test('who waits too long is told, and an edit that returns nothing writes nothing', async (t) => {
  const folder = t.testdir()
  const env = { HOME: folder }
  const file = join(folder, 'profile.toml')
  {
    await using _lock = await lockProfile(file, env, systemRuntime)
    let waits = 0
    const second = updateProfile(file, env, systemRuntime, () => undefined, { waitMs: 0, onWait: () => waits++ })
    await t.rejects(second, { code: 'MAKI_LOCKED', message: /another maki works/ })
    t.equal(waits, 0)
  }
  t.equal(
    await updateProfile(file, env, systemRuntime, (present) => {
      t.equal(present, undefined)
      return undefined
    }),
    undefined,
  )
  const machine = { name: parseNodeName('a'), sshTarget: 'root@a', isNameserver: true }
  const made = await updateProfile(file, env, systemRuntime, () => ({
    file,
    cluster,
    machines: [machine],
    dataFolder: join(folder, 'd'),
  }))
  t.match(made, { machines: [{ name: 'a' }] })
  await t.rejects(
    updateProfile(file, env, systemRuntime, () => {
      throw new Error('no')
    }),
    { message: 'no' },
  )
  t.match(
    await updateProfile(file, env, systemRuntime, (present) => present),
    { machines: [{ name: 'a' }] },
    'the lock is free again',
  )
})
