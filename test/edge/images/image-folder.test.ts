import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { systemRuntime } from '../../../cli/system.ts'
import { silentLog } from '../../../core/index.ts'
import { ImageFolder } from '../../../edge/images/image-folder.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const MAX_BYTES = 100_000

for (const seed of seeds(8)) {
  t.test(`what a disk mixes up is not served, and keeps nothing from being swept (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const directory = t.testdir()
    const options = { directory, maxBytes: MAX_BYTES, writers: 1 }
    const folder = new ImageFolder(options, { runtime: systemRuntime, log: silentLog })
    await folder.open()
    const keys = Array.from({ length: 30 }, () => Buffer.from(random.bytes(32)).toString('hex'))
    const pathOf = (key: string): string => join(directory, key.slice(0, 2), key)
    for (const key of keys) await folder.keep(key, random.bytes(500))
    const [from = '', to = ''] = random.shuffle(keys)
    copyFileSync(pathOf(from), pathOf(to))
    t.equal(await folder.find(to), undefined, 'one result under the name of another')
    t.ok(await folder.find(from))

    // A folder in the place of a result, the oldest of all, so that it is the first to be swept.
    mkdirSync(pathOf(to))
    writeFileSync(join(pathOf(to), 'something'), random.bytes(100))
    utimesSync(pathOf(to), 1, 1)
    for (let i = 0; i < 40; i++) await folder.keep(Buffer.from(random.bytes(32)).toString('hex'), random.bytes(9000))
    const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    const total = files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0)
    t.ok(total <= MAX_BYTES, `${total} bytes`)
    t.notOk(existsSync(pathOf(to)))
  })
}
