import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { checkArchitecture, MAX_LINES, PRODUCT_FOLDERS } from './support/architecture.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const DOC = '/** Says what it guarantees. */\n'

/** The rules that some fixture sources break. */
function rulesOf(sources: Record<string, string>): string[] {
  return checkArchitecture(new Map(Object.entries(sources))).map(({ rule }) => rule)
}

const inCore = (code: string) => rulesOf({ 'core/x.ts': `${DOC}export const x = 1\n${code}\n` })
const inCli = (code: string) => rulesOf({ 'cli/x.ts': `${DOC}export const x = 1\n${code}\n` })

t.test('the project keeps its rules', async (t) => {
  const paths = globSync(
    [...PRODUCT_FOLDERS, 'test'].map((folder) => `${folder}/**/*.ts`),
    { cwd: root },
  )
  const sources = new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]))
  t.ok(sources.has('core/index.ts'), 'sources were found')
  const violations = checkArchitecture(sources)
  t.strictSame(
    violations.map(({ path, line, rule, message }) => `${path}:${line} ${rule}: ${message}`),
    [],
  )
})

t.test('layers: the table of who imports whom', async (t) => {
  t.strictSame(rulesOf({ 'dns/x.ts': "import { a } from '../edge/index.ts'" }), ['layers'])
  t.strictSame(rulesOf({ 'core/x.ts': "import type { A } from '../dns/index.ts'" }), ['layers'], 'types too')
  t.strictSame(rulesOf({ 'core/x.ts': "import {\n  type A,\n  b,\n} from '../dns/index.ts'" }), ['layers'])
  t.strictSame(rulesOf({ 'edge/x.ts': "export * from '../replication/index.ts'" }), ['layers'])
  t.strictSame(rulesOf({ 'edge/x.ts': "export type { A } from '../dns/index.ts'" }), ['layers'])
  t.strictSame(rulesOf({ 'edge/x.ts': "const a = await import('../dns/index.ts')" }), ['layers'])
  t.strictSame(rulesOf({ 'edge/x.ts': "type A = typeof import('../dns/index.ts')" }), ['layers'])
  t.strictSame(rulesOf({ 'cli/x.ts': "import { a } from '../test/support/a.ts'" }), ['layers', 'index-only'])
  t.strictSame(rulesOf({ 'replication/x.ts': "import { a } from '../core/index.ts'" }), [])
  t.strictSame(rulesOf({ 'edge/x.ts': 'const text = "import { a } from \'../dns/index.ts\'"' }), [], 'not in a string')
  t.strictSame(
    rulesOf({ 'edge/x.ts': "const text = `\nimport type { A } from '../dns/index.ts'\n`" }),
    [],
    'nor template',
  )
})

t.test('index-only: a folder is entered by its door', async (t) => {
  t.strictSame(rulesOf({ 'dns/x.ts': "import { a } from '../core/ids.ts'" }), ['index-only'])
  t.strictSame(rulesOf({ 'cli/a/x.ts': "import { a } from '../../dns/answer.ts'" }), ['index-only'])
  t.strictSame(rulesOf({ 'cli/x.ts': "import { a } from '../edge/control/index.ts'" }), [], 'a side door')
  t.strictSame(
    rulesOf({ 'cli/x.ts': "import { a } from '../edge/control/control-api.ts'" }),
    ['index-only'],
    'beside it',
  )
  t.strictSame(
    rulesOf({ 'cli/x.ts': "import { a } from '../edge/server/index.ts'" }),
    ['index-only'],
    'a room without one',
  )
  t.strictSame(
    rulesOf({ 'dns/x.ts': "import { a } from '../edge/control/index.ts'" }),
    ['layers'],
    'for who may come in',
  )
  const nested = { 'cli/project/index.ts': '', 'cli/project/read.ts': '', 'cli/bare/y.ts': '' }
  t.strictSame(rulesOf({ ...nested, 'cli/x.ts': "import { a } from './project/read.ts'" }), ['index-only'])
  t.strictSame(rulesOf({ ...nested, 'cli/x.ts': "import { a } from './project/index.ts'" }), [])
  t.strictSame(rulesOf({ ...nested, 'cli/x.ts': "import { a } from './bare/y.ts'" }), [])
  t.strictSame(rulesOf({ ...nested, 'cli/project/x.ts': "import { a } from './read.ts'" }), [])
})

t.test('no-cycles: among files, types included', async (t) => {
  const cycle = {
    'core/a.ts': "import { b } from './b.ts'",
    'core/b.ts': "import type { C } from './c.ts'",
    'core/c.ts': "import { a } from './a.ts'",
  }
  t.strictSame(rulesOf(cycle), ['no-cycles'])
  t.strictSame(rulesOf({ ...cycle, 'core/c.ts': '' }), [])
})

t.test('pure-core: nothing of Node that does more than compute', async (t) => {
  t.strictSame(inCore("import { readFileSync } from 'node:fs'"), ['pure-core'])
  t.strictSame(inCore("import { createHash } from 'node:crypto'"), [])
  t.strictSame(inCli("import { readFileSync } from 'node:fs'"), [])
})

t.test('clock-and-chance: in one file only', async (t) => {
  for (const code of [
    'export const y = Date.now()',
    'export const y = Math.random()',
    'export const y = performance.now()',
    'export const y = new Date()',
    'export const y = Date()',
    'setTimeout(() => {}, 1)',
    'globalThis.setInterval(() => {}, 1)',
    'const later = setTimeout',
    'const signal = AbortSignal.timeout(5)',
    "import { randomUUID } from 'node:crypto'",
    "import { setTimeout as sleep } from 'node:timers/promises'",
    `export const y = \`\${Date.now()}\``,
  ]) {
    t.match(inCli(code), ['clock-and-chance'], code)
    t.strictSame(rulesOf({ 'cli/system.ts': `${DOC}export const x = 1\n${code}` }), [], `${code} in cli/system.ts`)
  }
  for (const code of [
    'export const y = new Date(0)',
    'export const y = { now: () => 1 }.now()',
    'const server = { setTimeout() {} }\nserver.setTimeout()',
    '// Date.now() is not used here',
    'const text = "Math.random()"',
    "import { setImmediate } from 'node:timers/promises'",
  ]) {
    t.strictSame(inCli(code), [], code)
  }
})

t.test('no-console: outside cli', async (t) => {
  t.strictSame(inCore("console.log('x')"), ['no-console'])
  t.strictSame(inCore('const log = { console: 1 }\nlog.console'), [])
  t.strictSame(inCli("console.log('x')"), [])
})

t.test('no-any and no-suppression', async (t) => {
  for (const code of [
    'const y: any = 1',
    'const y = x as any',
    'function f(a: Map<string, any>) {}',
    'type T = any[]',
  ]) {
    t.strictSame(inCore(code), ['no-any'], code)
  }
  for (const code of ['const any = 1', '// any\nconst y = 1', 'interface I {\n  /** any of them */\n  a: "any"\n}']) {
    t.strictSame(inCore(code), [], code)
  }
  for (const word of ['ignore', 'expect-error', 'nocheck']) t.strictSame(inCore(`// @ts-${word}`), ['no-suppression'])
})

t.test('names, lengths, documentation, syntax', async (t) => {
  t.strictSame(rulesOf({ 'core/fooBar.ts': '' }), ['kebab-case'])
  t.strictSame(rulesOf({ 'cli/Commands/foo.ts': '' }), ['kebab-case'])
  t.strictSame(rulesOf({ 'core/foo-bar.test.ts': '' }), [])
  t.strictSame(inCore('\n'.repeat(MAX_LINES)), [], 'blank lines at the end are not counted')
  t.strictSame(inCore(`${'\n'.repeat(MAX_LINES)}export const y = 1`), ['length'])
  t.strictSame(rulesOf({ 'core/x.ts': 'export const x = 1' }), ['doc-comment'])
  t.strictSame(rulesOf({ 'core/x.ts': 'export function f() {}\nexport class C {}' }), ['doc-comment'])
  t.strictSame(rulesOf({ 'core/x.ts': "export * from './y.ts'" }), [], 're-exports need none')
  t.strictSame(rulesOf({ 'core/x.ts': 'const = 1' }), ['parses'])
})
