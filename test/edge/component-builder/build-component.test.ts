import { spawnSync } from 'node:child_process'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import { parseBlobHash } from '../../../core/index.ts'
import { buildComponent, checkFiles } from '../../../edge/component-builder/build-component.ts'
import { type BuildOutcome, encodeOutcome, findOutcome } from '../../../edge/component-builder/build-outcome.ts'
import { loadGenerator } from '../../../edge/component-builder/generator.ts'
import { buildMeta, encodeMeta, findMeta } from '../../../edge/component-builder/index.ts'
import { type ComponentReport, inspectComponent } from '../../../edge/components/index.ts'
import { buildInjection, buildWatGuest, EVIL_NAMES, type Injection } from '../../support/guests/build-wat.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

/** What is looked at after the generator: the second line, behind the inspection; and how results travel and lie on the disk. */

const MIB = 1024 * 1024
const REPORT: ComponentReport = {
  world: 'http',
  sizeBytes: 1,
  imports: ['wasi:io/poll@0.2.3'],
  otherExports: [],
  coreModules: 1,
  coreInstances: 1,
  initialMemoryBytes: 65_536,
  largestMemoryBytes: 65_536,
}
const MODULE = Buffer.from([0, 97, 115, 109, 1, 0, 0, 0])
const GLUE = Buffer.from('export const a = 1')

t.test('names that the inspection let through are found in what comes out', async (t) => {
  const loaded: string[] = []
  const hooks = registerHooks({
    load(url, context, next) {
      loaded.push(url)
      return next(url, context)
    },
  })
  const generate = await loadGenerator()
  hooks.deregister()
  t.match(loaded.join(' '), /js-component-bindgen-component\.js/)
  t.notMatch(loaded.join(' '), /binaryen|oxc|preview[23]-shim/, 'and nothing else of that package')
  const blind = {
    inspect: () => ({ kind: 'fit', report: REPORT }) as const,
    generate,
    listImports,
    maxOutputBytes: 8 * MIB,
  }
  const evil = await Promise.all((Object.keys(EVIL_NAMES) as Injection[]).map((where) => buildInjection(where)))
  for (const component of evil)
    t.match(buildComponent(component, blind), { kind: 'unfit', fault: { code: 'unsafe-name' } })
  t.match(buildComponent(Buffer.from('?'), blind), {
    kind: 'unfit',
    fault: { message: /^jco cannot make JavaScript of it/ },
  })
  const fit = await buildWatGuest('http-echo')
  t.match(buildComponent(fit, { ...blind, inspect: inspectComponent }), { kind: 'ready' })
  t.match(buildComponent(fit, { ...blind, maxOutputBytes: 1000 }), { kind: 'unfit', fault: { code: 'broken' } })
})

/** In the place of V8, which only a process of its own can be asked. */
function listImports(text: string): string[] {
  if (text === 'BROKEN') throw new SyntaxError('Unexpected identifier')
  return [...text.matchAll(/ from '([^']+)'/g)].map(([, specifier = '']) => specifier)
}

t.test('glue is one module alone, modules are valid, and nothing else is there', async (t) => {
  const check = (...files: [string, Buffer][]) => checkFiles(files, { maxOutputBytes: MIB, listImports })
  t.match(check(['glue.js', GLUE], ['glue.core.wasm', MODULE], ['glue.core12.wasm', MODULE]), { glue: GLUE })
  const bad: [string, Buffer][][] = [
    [],
    [['glue.core.wasm', MODULE]],
    [
      ['glue.js', GLUE],
      ['glue.d.ts', GLUE],
    ],
    [
      ['glue.js', GLUE],
      ['../glue.core.wasm', MODULE],
    ],
    [
      ['glue.js', GLUE],
      ['glue.core.wasm', GLUE],
    ],
    [
      ['glue.js', GLUE],
      ['glue.core.wasm', MODULE],
      ['glue.core.wasm', MODULE],
    ],
    [['glue.js', Buffer.from("import fs from 'node:fs'")]],
    [['glue.js', Buffer.from('BROKEN')]],
    [['glue.js', Buffer.from([0xff, 0xfe])]],
  ]
  for (const files of bad) t.match(check(...files), { code: 'broken' }, JSON.stringify(files))
})

t.test('V8 says what glue imports, and runs nothing of it', async (t) => {
  const texts = [
    'globalThis.PWNED = process.exit(3)',
    "import fs from 'node:fs'",
    "export * from 'data:text/javascript,'",
    "let a = '",
    'await 1',
  ]
  const main = join(import.meta.dirname, 'list-imports-main.ts')
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning']
  const { stdout, status } = spawnSync(process.execPath, [...flags, main, JSON.stringify(texts)])
  t.equal(status, 0)
  t.strictSame(JSON.parse(stdout.toString()), [[], ['node:fs'], ['data:text/javascript,'], 'SyntaxError', []])
})

t.test('words of strangers are cut down to one line of plain letters', async (t) => {
  const generate = () => {
    throw new Error(`\u001b[2J${'x'.repeat(1000)}\nmore`)
  }
  const built = buildComponent(MODULE, {
    inspect: () => ({ kind: 'fit', report: REPORT }),
    generate,
    listImports,
    maxOutputBytes: MIB,
  })
  if (built.kind !== 'unfit') throw new Error('it was made ready')
  t.match(built.fault.message, /^jco cannot make JavaScript of it: \[2Jx{297}$/)
})

const READY: BuildOutcome = {
  kind: 'ready',
  report: REPORT,
  files: { glue: GLUE, modules: new Map([['glue.core.wasm', MODULE]]) },
}

t.test('an outcome travels as it is', async (t) => {
  t.strictSame(findOutcome(encodeOutcome(READY)), READY)
  const unfit: BuildOutcome = { kind: 'unfit', fault: { code: 'broken', message: 'a', hint: 'b' } }
  t.strictSame(findOutcome(encodeOutcome(unfit)), unfit)
})

for (const seed of seeds(200)) {
  t.test(`an outcome that was altered is an outcome or none, and never an error, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    let bytes = encodeOutcome(READY)
    for (let i = random.integer(4); i >= 0; i--) bytes[random.integer(bytes.length)] = random.integer(256)
    if (random.chance(0.3)) bytes = bytes.subarray(0, random.integer(bytes.length))
    const found = findOutcome(bytes)
    const modules = found?.kind === 'ready' ? [...found.files.modules.keys()] : []
    t.ok(modules.every((name) => /^glue\.core[0-9]*\.wasm$/.test(name)))
  })

  t.test(`what stands beside the files is known for damaged whatever happens to it, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const component = parseBlobHash('ab'.repeat(32))
    const meta = buildMeta(component, REPORT, READY.files)
    const text = Buffer.from(encodeMeta(meta))
    t.strictSame(findMeta(text.toString(), component), meta)
    t.equal(findMeta(text.toString(), parseBlobHash('cd'.repeat(32))), undefined, 'of another component')
    const at = random.integer(text.length - 1)
    const torn = text.subarray(0, at)
    t.equal(findMeta(torn.toString(), component), undefined, 'torn')
    text[at] = (text[at] ?? 0) ^ (1 << random.integer(7))
    t.equal(findMeta(text.toString(), component), undefined, `altered at ${at}`)
  })
}
