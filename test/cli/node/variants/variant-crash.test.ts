import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { BlobHash } from '../../../../core/index.ts'
import { eventually } from '../../../support/eventually.ts'
import { createRandom, seeds } from '../../../support/seeds.ts'
import { contentsOf, listFiles, MadeSite, untilDone, writeText, wrongOnes } from './made-site.ts'

for (const seed of seeds(1)) {
  t.test(
    `an encoder that is killed at any moment leaves nothing wrong, and all is made in the end (SEED=${seed})`,
    async (t) => {
      const random = createRandom(seed)
      const site = await MadeSite.open(t.testdir({}))
      const files: Record<string, Uint8Array> = {}
      for (let i = 0; i < 8; i++) files[`page${i}.html`] = writeText(random, 3000 + random.integer(12_000))
      await site.publish(files)
      let killed = 0
      {
        await using maker = site.start()
        for (let kill = 0; kill < 2; kill++) {
          // A file that the encoder dies of twice is given up: the second dies with another one.
          const ready = kill === 0 ? 1 : 3 * (Math.floor(maker.counts.ready / 3) + 2)
          await untilDone(maker, (counts) => counts.ready >= Math.min(ready, 21) && maker.encoderPid !== undefined)
          const pid = maker.encoderPid
          if (pid === undefined) continue
          process.kill(pid, 'SIGKILL')
          killed++
          await eventually('it has gone', () => (maker.encoderPid === pid ? undefined : true))
        }
        await untilDone(maker, ({ ready }) => ready === 24)
        await eventually('workers were told', () => (site.worker.table.count === 24 ? true : undefined))
      }
      t.equal(killed, 2)
      t.strictSame(await wrongOnes(site, contentsOf(files)), [])
      t.equal(listFiles(site).length, 24)
    },
  )

  t.test(`a control process that stops at any moment goes on where it was (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const site = await MadeSite.open(t.testdir({}))
    const files: Record<string, Uint8Array> = {}
    for (let i = 0; i < 8; i++) files[`page${i}.html`] = writeText(random, 2000 + random.integer(8000))
    await site.publish(files)
    let made = 0
    for (let stop = 1; stop <= 2; stop++) {
      await using maker = site.start()
      await untilDone(maker, (counts) => counts.ready >= stop * (3 + random.integer(4)))
      await maker[Symbol.asyncDispose]()
      made += maker.counts.made
    }
    // What a kill leaves: a result that was not taken over, names that are none, a file that is not what it says.
    writeFileSync(join(site.variants, 'incoming', 'br'), 'half')
    const [victim] = listFiles(site).filter((path) => !path.includes('incoming')) as [string]
    writeFileSync(victim, readFileSync(victim).subarray(1))
    await using maker = site.start()
    await untilDone(maker, ({ ready }) => ready === 24)
    t.equal(made + maker.counts.made, 25, 'the one that was cut short was made again, and no other')
    await eventually('workers were told', () => (site.worker.table.count === 24 ? true : undefined))
    t.strictSame(await wrongOnes(site, contentsOf(files)), [])
  })
}

for (const seed of seeds(2)) {
  t.test(`the budget holds under any load, and what is served goes last (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const site = await MadeSite.open(t.testdir({}))
    const budgetBytes = 30_000
    const contents = new Map<BlobHash, Uint8Array>()
    await using maker = site.start({ budgetBytes })
    for (let release = 0; release < 5; release++) {
      const files: Record<string, Uint8Array> = {}
      for (let i = 0; i < 1 + random.integer(6); i++) {
        const name = random.pick(['page', 'data'])
        files[`${name}${i}.${name === 'page' ? 'html' : 'json'}`] = writeText(random, 1024 + random.integer(12_000))
      }
      for (const [hash, bytes] of contentsOf(files)) contents.set(hash, bytes)
      const before = maker.counts
      await site.publish(files)
      const total = Object.keys(files).length
      await untilDone(maker, ({ waiting, made, noRoom, ready }) => {
        const worked = made > before.made || noRoom > before.noRoom || ready >= 3 * total
        return worked && waiting === 0
      })
      t.ok(maker.counts.bytes <= budgetBytes, `${maker.counts.bytes} bytes`)
      if (random.chance(0.3)) {
        const [gone] = [...contents.keys()] as [BlobHash]
        contents.delete(gone)
        await site.blobs.remove(gone)
      }
    }
    await eventually('workers know what there is', () =>
      site.worker.table.count === maker.counts.ready ? true : undefined,
    )
    t.strictSame(await wrongOnes(site, contents), [])
    const onDisk = listFiles(site).reduce((sum, path) => sum + statSync(path).size, 0)
    t.ok(onDisk >= maker.counts.bytes)
  })
}
