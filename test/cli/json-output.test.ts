import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { COMMANDS } from '../../cli/commands/index.ts'
import { findOutputFault, findShapeFault } from './json/check-output.ts'
import { writePage } from './json/page.ts'
import { SHAPES } from './json/shapes.ts'
import { startTestCluster, testKey } from './support/test-cluster.ts'

t.test('every command has a documented shape, and the page of the docs is that', async (t) => {
  t.strictSame(Object.keys(SHAPES).toSorted(), Object.keys(COMMANDS).toSorted())
  const file = join(import.meta.dirname, '..', '..', 'docs', 'json.md')
  const page = writePage()
  // GOLDEN=write makes it anew; the difference is then to be read before it is committed.
  if (process.env.GOLDEN === 'write') await writeFile(file, page)
  t.equal(await readFile(file, 'utf8'), page)
})

t.test('a value that is not as documented is found', async (t) => {
  const row = { name: 'a', chain: 'b' }
  const shape = SHAPES['cert:export']!
  t.equal(findShapeFault(shape, row), undefined)
  for (const [value, fault] of [
    [{ ...row, more: 1 }, /more/],
    [{ name: 'a' }, /chain/],
    [{ ...row, chain: null }, /chain/],
    [[row], /name/],
  ] as const)
    t.match(findShapeFault(shape, value), fault)
  const argv = ['cert', 'export', 'a', '--json']
  const stdout = JSON.stringify(row)
  const error = '{"code":"MAKI_USAGE","message":"no"}\n'
  t.equal(findOutputFault(argv, { code: 0, stdout, stderr: '' }), undefined)
  t.equal(findOutputFault(argv, { code: 2, stdout: '', stderr: `{"warning":"x"}\n${error}` }), undefined)
  t.match(findOutputFault(argv, { code: 0, stdout: `${stdout}x`, stderr: '' }), /all of it/)
  t.match(findOutputFault(argv, { code: 0, stdout, stderr: 'Warning: x\n' }), /on stderr/)
  t.match(findOutputFault(argv, { code: 4, stdout, stderr: error }), /on stderr/)
  t.match(findOutputFault(argv, { code: 0, stdout: '', stderr: '' }), /no value/)
})

/** Whatever is run in the other tests of commands is held to its shape too (`runInProcess`); these are all that one node can do. */
t.test('commands print what is documented', async (t) => {
  await using cluster = await startTestCluster()
  await mkdir(join(cluster.directory, 'site'))
  await writeFile(join(cluster.directory, 'site', 'index.html'), 'hello')
  await writeFile(join(cluster.directory, 'makiatto.toml'), '[[domain]]\nname = "example.com"\npath = "site"\n')
  await writeFile(join(cluster.directory, 'zone.txt'), 'imported 300 IN A 192.0.2.9\n')
  const ann = testKey(41).key
  const lines: [string, number][] = [
    ['sync --dry-run', 0],
    ['sync --take-over', 0],
    ['sync', 0],
    ['record set example.com www A 192.0.2.1', 0],
    ['record add example.com www A 192.0.2.2', 0],
    ['record remove example.com www A 192.0.2.2', 0],
    ['record list', 0],
    ['record set example.com www A 192.0.2.256', 2],
    ['record set example.org www A 192.0.2.1', 4],
    ['domain list', 0],
    ['dns import example.com zone.txt', 0],
    ['dns export example.com', 0],
    ['dns nameserver-setup', 0],
    ['dns explain www.example.com', 0],
    [`operator add ann ${ann}`, 0],
    ['operator list', 0],
    ['operator key', 0],
    ['operator remove ann', 2],
    ['operator remove ann --yes', 0],
    ['release list example.com', 0],
    ['release show example.com --files', 0],
    ['release diff example.com', 0],
    ['release merge example.com', 0],
    ['release resume example.com', 0],
    ['release purge example.com --yes', 0],
    ['rollback example.com', 4],
    ['peer list', 0],
    ['cert list', 0],
    ['cert show example.org', 4],
    ['cluster show', 0],
    ['machine list', 0],
    ['machine show one', 0],
    ['machine drain one --no-wait', 4],
    ['machine drain one --no-wait --force', 0],
    ['machine undrain one', 0],
    ['status', 0],
    ['status --offline', 0],
    ['history', 0],
    ['state', 0],
    ['blame example.com', 0],
    ['conflicts', 0],
    ['pull', 0],
    ['push --dry-run', 0],
    ['push', 0],
    ['nonsense', 2],
    ['wasm fetch', 0],
    ['wasm new http', 0],
    ['wasm check zone.txt', 1],
  ]
  // What is not as documented makes `maki` of the test cluster throw.
  for (const [line, code] of lines) {
    const outcome = await cluster.maki(...line.split(' '), '--json')
    t.equal(outcome.code, code, `${line}${outcome.stderr === '' ? '' : `: ${outcome.stderr}`}`)
    t.equal(outcome.stdout === '', code >= 2, `${line}: a value, or an error`)
  }
  for (const node of cluster.nodes) await node[Symbol.asyncDispose]()
  for (const [line, code, isTold] of [
    ['pull', 3, false],
    ['push', 3, false],
    ['dns explain www.example.com', 3, false],
    ['logs', 3, false],
    ['status', 3, true],
    ['health', 3, true],
    ['history', 0, true],
    ['record set example.com late A 192.0.2.7', 0, true],
  ] as const) {
    const outcome = await cluster.maki(...line.split(' '), '--json')
    t.strictSame(
      [outcome.code, outcome.stdout !== ''],
      [code, isTold],
      `${line}, when no node answers: ${outcome.stderr}`,
    )
  }
})
