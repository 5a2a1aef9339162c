import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { nextIncarnation } from '../../../cli/node/incarnation.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

for (const seed of seeds(5)) {
  t.test(`each process has a greater number than all before it, whatever the clock does (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const path = join(t.testdir({}), 'incarnation')
    let last = 0
    for (let i = 0; i < 20; i++) {
      if (random.chance(0.1)) await writeFile(path, random.pick(['', 'no number', `${last}`]))
      const known = Number(await readFile(path, 'utf8').catch(() => '0'))
      const nowMs = 1_800_000_000_000 + random.integer(1_000_000)
      const next = await nextIncarnation(path, { now: () => nowMs })
      if (Number.isSafeInteger(known)) t.ok(next > known)
      t.ok(next >= nowMs)
      last = next
    }
  })
}

t.test('a full disk is said to be full, and what to do', async (t) => {
  const folder = t.testdir({})
  // What is written here goes to a device that is always full.
  await symlink('/dev/full', join(folder, 'incarnation.new'))
  await t.rejects(nextIncarnation(join(folder, 'incarnation'), { now: () => 1 }), {
    code: 'MAKI_DISK_FULL',
    message: /disk is full.*incarnation/,
    hint: /Make room/,
  })
})

t.test('a folder that cannot be written is named', async (t) => {
  const folder = join(t.testdir({}), 'data')
  await mkdir(folder)
  await writeFile(join(folder, 'file'), '')
  await t.rejects(nextIncarnation(join(folder, 'file', 'incarnation'), { now: () => 1 }), {
    code: 'MAKI_STORE_FAILED',
    message: /incarnation cannot be written/,
    hint: /Check the disk/,
  })
})
