import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { CARRIED } from '../../../cli/bundle/carried.ts'
import { readDeb } from '../../../cli/bundle/deb.ts'
import { archOf, isElf } from '../../../cli/bundle/elf.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const PACKAGES = join(import.meta.dirname, '../../../cli/bundle/packages')
const packed = readdirSync(PACKAGES).filter((name) => name.endsWith('.deb'))
const folder = mkdtempSync(join(tmpdir(), 'makiatto-deb-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

t.test('each package is the one that Debian publishes, and each is asked for', async (t) => {
  const named = Object.values(CARRIED).flat()
  t.strictSame(named.map((one) => one.package).sort(), packed.sort())
  for (const one of named) {
    const hash = createHash('sha256')
      .update(readFileSync(join(PACKAGES, one.package)))
      .digest('hex')
    t.equal(hash, one.sha256, one.package)
  }
})

for (const arch of ['x64', 'arm64'] as const) {
  for (const carried of CARRIED[arch]) {
    t.test(`${carried.package} holds what dpkg finds in it`, async (t) => {
      const bytes = readFileSync(join(PACKAGES, carried.package))
      const files = await readDeb(bytes)
      const out = join(folder, carried.package)
      execFileSync('dpkg-deb', ['-x', join(PACKAGES, carried.package), out])
      for (const { path, content } of files) t.ok(readFileSync(join(out, path)).equals(content), path)
      const found = files.find(({ path }) => path === carried.from)
      t.ok(found !== undefined && isElf(found.content))
      t.equal(archOf(found?.content ?? Buffer.alloc(64)), arch)
      t.equal(found?.isProgram, carried.isProgram)
    })
  }
}

const [small = ''] = packed.filter((name) => name.startsWith('libatomic'))
const whole = readFileSync(join(PACKAGES, small))
for (const seed of seeds(30)) {
  t.test(`what is none is refused (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    await t.rejects(readDeb(whole.subarray(0, random.integer(whole.length - 100))))
    await t.rejects(readDeb(random.bytes(2000)), /no Debian package/)
  })
}
