import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { archOf, isElf, setRunPath, trimElf } from '../../../cli/bundle/elf.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

/** Against the compiler and the dynamic linker of this machine: its programs are changed as Node's is. */

const folder = mkdtempSync(join(tmpdir(), 'makiatto-elf-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
for (const name of ['bin', 'lib']) mkdirSync(join(folder, name))
const compile = (to: string, code: string, ...args: string[]): string => {
  const path = join(folder, to)
  writeFileSync(`${path}.c`, code)
  execFileSync('cc', ['-o', path, `${path}.c`, ...args])
  return path
}
const library = compile(
  'lib/libsecret.so.1',
  'int secret(void) { return 42; }\n',
  '-shared',
  '-fPIC',
  '-Wl,-soname,libsecret.so.1',
)
const program = compile(
  'bin/program',
  `int secret(void);
  int spare_function_that_nobody_asks_for(void) { return 1; }
  int spare_no(void) { return 2; }
  int main(void) { return secret(); }\n`,
  '-g',
  '-rdynamic',
  library,
)
const SPARE = /^spare_/
const run = (bytes: Uint8Array): number | string => {
  const path = join(folder, 'bin', 'tried')
  writeFileSync(path, bytes)
  chmodSync(path, 0o755)
  try {
    execFileSync(path, { env: {}, stdio: 'pipe' })
    return 0
  } catch (error) {
    const { status, stderr } = error as { status: number | null; stderr: Buffer }
    return status === 42 ? 42 : String(stderr)
  }
}
const bytes = readFileSync(program)

t.test('a program finds its library by itself, and nothing else of it changes', async (t) => {
  t.match(run(bytes), /libsecret\.so\.1: cannot open/, 'not before')
  const changed = setRunPath(bytes, '$ORIGIN/../lib', SPARE)
  t.equal(changed.length, bytes.length)
  t.equal(run(changed), 42)
  const trimmed = trimElf(changed)
  t.ok(trimmed.length < bytes.length)
  t.equal(run(trimmed), 42, 'without symbols, too')
  writeFileSync(join(folder, 'trimmed'), trimmed)
  t.match(execFileSync('readelf', ['-dW', join(folder, 'trimmed')], { encoding: 'utf8' }), '[$ORIGIN/../lib]')
  t.match(execFileSync('readelf', ['-lW', join(folder, 'trimmed')], { encoding: 'utf8' }), /LOAD/)
  const original = readFileSync(program)
  t.ok(bytes.equals(original), 'what was given stays')
})

t.test('where nothing can be spared it says so', async (t) => {
  t.throws(() => setRunPath(bytes, '$ORIGIN/../lib', /^unheard_of/), /no name in its string table can be spared/)
  t.throws(() => setRunPath(bytes, `$ORIGIN/${'x'.repeat(100)}`, SPARE), /can be spared/, 'for want of room')
  t.throws(() => setRunPath(bytes, '$ORIGIN/../lib', /^spare_no$/), /can be spared/)
  t.throws(() => setRunPath(trimElf(bytes), '$ORIGIN/../lib', SPARE), /no dynamic symbols/, 'once it is trimmed')
  const single = readFileSync(compile('bin/static', 'int main(void) { return 0; }\n', '-static'))
  t.throws(() => setRunPath(single, '$ORIGIN/../lib', SPARE), /linked statically/)
  t.equal(run(trimElf(single)), 0)
})

t.test('of whatever is an ELF file its processor is known', async (t) => {
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64'
  t.equal(archOf(bytes), arch)
  t.ok(isElf(bytes))
  t.notOk(isElf(Buffer.from('\x7fELF')), 'too short')
  t.notOk(isElf(Buffer.alloc(1000)))
  const other = Buffer.from(bytes)
  other.writeUInt16LE(8, 18)
  t.equal(archOf(other), undefined)
  other.writeUInt16LE(62 + 256, 18)
  t.equal(archOf(other), undefined, 'by both bytes')
  t.throws(() => trimElf(Buffer.alloc(1000)), /no ELF file/)
})

for (const seed of seeds(100)) {
  t.test(`what is cut short is refused, and never read on for ever (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const cut = bytes.subarray(0, random.integer(bytes.length / 2))
    t.throws(() => setRunPath(cut, '$ORIGIN/../lib', SPARE))
    const changed = Buffer.from(bytes)
    changed[random.integer(64)] = random.integer(256)
    try {
      setRunPath(trimElf(changed), '$ORIGIN/../lib', SPARE)
    } catch (error) {
      t.type(error, Error)
    }
  })
}
