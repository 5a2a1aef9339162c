import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { readEntries, readTar, type TarFile, writeTar } from '../../../cli/archive/index.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

const folder = mkdtempSync(join(tmpdir(), 'makiatto-tar-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const pack = (files: readonly TarFile[]): Buffer => Buffer.concat([...writeTar(files)])
const byPath = (files: readonly TarFile[]) =>
  Object.fromEntries(
    files.map(({ path, content, isProgram }) => [path, [Buffer.from(content).toString('hex'), isProgram]]),
  )

for (const seed of seeds(20)) {
  t.test(`files come back as they were, and tar agrees (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const files = makeFiles(random)
    const archive = pack(files)
    t.strictSame(byPath([...readTar(archive)]), byPath(files))
    t.ok(pack(random.shuffle(files)).equals(archive), 'in whatever order they are given')

    const file = join(folder, `${seed}.tar`)
    const out = join(folder, String(seed))
    writeFileSync(file, archive)
    mkdirSync(out)
    execFileSync('tar', ['-xf', file, '-C', out])
    t.strictSame(byPath(listFiles(out)), byPath(files), 'unpacked by tar')
    const listed = execFileSync('tar', ['--numeric-owner', '-tvf', file], { encoding: 'utf8', env: { TZ: 'UTC' } })
    for (const line of listed.trimEnd().split('\n'))
      t.match(line, /^-rw(x|-)r-\1r-\1 0\/0 +\d+ 1970-01-01 00:00 /, 'of nobody, from the beginning of time')

    for (const format of ['ustar', 'pax'] as const) {
      const names = files.map(({ path }) => path).filter((path) => format === 'pax' || Buffer.byteLength(path) <= 100)
      if (names.length === 0) continue
      const foreign = execFileSync('tar', ['-c', `--format=${format}`, '-C', out, ...names.map((name) => `./${name}`)])
      t.strictSame(byPath([...readTar(foreign)]), byPath(files.filter(({ path }) => names.includes(path))), format)
    }
  })

  t.test(`what is cut or damaged is refused, and never read as something else (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const files = makeFiles(random)
    const archive = pack(files)
    // The last two blocks are the end itself, of which one is enough.
    const cut = archive.subarray(0, random.integer(archive.length - 1024))
    t.throws(() => [...readTar(cut)], /ends in the middle/)
    const heads = [...findHeads(archive)]
    const damaged = Buffer.from(archive)
    // All but the sum itself, behind whose digits anything may stand.
    const at = random.pick(heads) + random.pick([random.integer(148), 156 + random.integer(344)])
    damaged[at] = (damaged[at] as number) ^ (1 << random.integer(8))
    t.throws(() => [...readTar(damaged)], /damaged|no tar archive|ends in the middle/)
    const noise = Buffer.from(random.bytes(2048))
    t.throws(() => [...readTar(noise)])
  })
}

t.test('links and folders are told of', async (t) => {
  const out = join(folder, 'kinds')
  mkdirSync(join(out, 'a'), { recursive: true })
  execFileSync('ln', ['-s', '/etc/passwd', join(out, 'link')])
  const archive = execFileSync('tar', ['-c', '-C', out, 'a', 'link'])
  t.strictSame(
    [...readEntries(archive)].map(({ type, path }) => [type, path]),
    [
      ['folder', 'a/'],
      ['other', 'link'],
    ],
  )
  t.strictSame([...readTar(archive)], [])
})

/** Paths on both sides of each limit of the format, contents on both sides of a block. */
function makeFiles(random: Random): TarFile[] {
  const alphabet = [...'abcxyz.-_@= 09', 'é', '日']
  const word = (length: number): string => Array.from({ length }, () => random.pick(alphabet)).join('')
  const path = (i: number): string => {
    const parts = Array.from({ length: 1 + random.integer(6) }, () => `d${word(1 + random.integer(60))}`)
    return `${i}${parts.join('/')}`
  }
  return Array.from({ length: 1 + random.integer(12) }, (_, i) => ({
    path: path(i),
    content: random.bytes(random.pick([0, 1, 511, 512, 513, 1024, random.integer(5000)])),
    isProgram: random.chance(0.3),
  }))
}

function listFiles(root: string): TarFile[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => ({
      path: file.slice(root.length + 1),
      content: readFileSync(file),
      isProgram: (statSync(file).mode & 0o100) !== 0,
    }))
}

function* findHeads(archive: Buffer): Generator<number> {
  for (let at = 0; archive.toString('latin1', at + 257, at + 262) === 'ustar'; ) {
    yield at
    const sizeBytes = Number.parseInt(archive.toString('latin1', at + 124, at + 135), 8)
    at += 512 + Math.ceil(sizeBytes / 512) * 512
  }
}
