import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import t from 'tap'
import { type TarFile, writeTar } from '../../../cli/archive/index.ts'
import { readBundle } from '../../../cli/bundle/read-bundle.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const folder = mkdtempSync(join(tmpdir(), 'makiatto-read-bundle-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

/** As much of a program as is looked at. */
function makeElf(machine: number): Buffer {
  const elf = Buffer.alloc(128)
  elf.write('\x7fELF', 'latin1')
  elf.writeUInt16LE(machine, 18)
  return elf
}

const file = (path: string, content: string | Buffer, isProgram = false): TarFile => ({
  path,
  content: Buffer.from(content),
  isProgram,
})
const whole = [
  file('bin/makiatto', '#!/bin/sh\n', true),
  file('bin/node', makeElf(62), true),
  file('bundle.json', '{ "version": "1.2.3", "arch": "x64", "later": true }'),
]

function write(name: string, bytes: Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}
const pack = (files: readonly TarFile[]): Buffer => gzipSync(Buffer.concat([...writeTar(files)]))
const replace = (path: string, ...by: TarFile[]): TarFile[] => [...whole.filter((one) => one.path !== path), ...by]

t.test('a whole one is what its bytes are', async (t) => {
  const bytes = pack(whole)
  const path = write('whole.tar.gz', bytes)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  t.strictSame(await readBundle(path, 'x64'), {
    file: path,
    arch: 'x64',
    version: '1.2.3',
    sha256,
    sizeBytes: bytes.length,
  })
})

const refused: Record<string, readonly [readonly TarFile[], RegExp]> = {
  'no program': [replace('bin/makiatto'), /holds no Makiatto/],
  'no Node': [replace('bin/node'), /holds no Makiatto/],
  'nothing about itself': [replace('bundle.json'), /holds no Makiatto/],
  nonsense: [replace('bundle.json', file('bundle.json', '{')), /its bundle\.json is none/],
  'another processor': [
    replace('bundle.json', file('bundle.json', '{"version":"1","arch":"mips"}')),
    /its bundle\.json is none/,
  ],
  'the other processor': [
    replace('bundle.json', file('bundle.json', '{"version":"1","arch":"arm64"}')),
    /it is for arm64, and the server is x64/,
  ],
  'a lie': [replace('bin/node', file('bin/node', makeElf(183), true)), /its Node is for another processor/],
  'no programs': [replace('bin/node', file('bin/node', makeElf(62))), /not marked as such/],
  'a way up': [[...whole, file('a/../../etc/cron.d/x', '')], /"a\/\.\.\/\.\.\/etc\/cron\.d\/x", which leads out of it/],
  'a way to the root': [[...whole, file('/etc/cron.d/x', '')], /"\/etc\/cron\.d\/x", which leads out of it/],
}
for (const [name, [files, message]] of Object.entries(refused)) {
  t.test(`refused: ${name}`, (t) =>
    t.rejects(readBundle(write('refused.tar.gz', pack(files)), 'x64'), {
      code: 'MAKI_INVALID',
      message,
      hint: /npm run bundle/,
    }),
  )
}

t.test('refused: a link', async (t) => {
  const linked = join(folder, 'linked')
  mkdirSync(linked)
  symlinkSync('/etc', join(linked, 'lib'))
  const path = join(folder, 'linked.tar.gz')
  execFileSync('tar', ['-czf', path, '-C', linked, 'lib'])
  await t.rejects(readBundle(path, 'x64'), { code: 'MAKI_INVALID', message: /"lib", which is no file/ })
})

t.test('refused: a folder, and what is not there', async (t) => {
  await t.rejects(readBundle(folder, 'x64'), { code: 'MAKI_INVALID', message: /EISDIR/ })
  await t.rejects(readBundle(join(folder, 'nothing'), 'x64'), { code: 'MAKI_NOT_FOUND', hint: /--binary-path/ })
})

t.test('packed again by tar it is one, too', async (t) => {
  const unpacked = join(folder, 'again')
  mkdirSync(unpacked)
  execFileSync('tar', ['-xzf', write('first.tar.gz', pack(whole)), '-C', unpacked])
  execFileSync('tar', ['-czf', join(folder, 'again.tar.gz'), '-C', unpacked, '.'])
  t.match(await readBundle(join(folder, 'again.tar.gz'), 'x64'), { version: '1.2.3' })
})

for (const seed of seeds(100)) {
  t.test(`cut anywhere or changed anywhere it is refused in words (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const bytes = readFileSync(join(folder, 'whole.tar.gz'))
    const cut = write('cut.tar.gz', bytes.subarray(0, random.integer(bytes.length)))
    await t.rejects(readBundle(cut, 'x64'), { code: 'MAKI_INVALID', message: /cut short|no tar\.gz/ })
    // What stands before the data of gzip says nothing of them.
    const at = 10 + random.integer(bytes.length - 10)
    bytes[at] = (bytes[at] as number) ^ (1 << random.integer(8))
    const changed = write('changed.tar.gz', bytes)
    const same = isSame(bytes)
    // Bits that fill the last byte mean nothing.
    if (same) t.match(await readBundle(changed, 'x64'), { version: '1.2.3' })
    else await t.rejects(readBundle(changed, 'x64'), { code: 'MAKI_INVALID' })
  })
}

function isSame(bytes: Uint8Array): boolean {
  try {
    return gunzipSync(bytes).equals(Buffer.concat([...writeTar(whole)]))
  } catch {
    return false
  }
}
