import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { COMMANDS } from '../../cli/commands/index.ts'
import { parseArgv } from '../../cli/program/argv.ts'
import { runInProcess } from './support/test-cluster.ts'

const options = { env: { HOME: '/nonexistent' }, cwd: '/' }
const maki = (...argv: string[]) => runInProcess(argv, options)

t.test('the command is the longest run of leading words', async (t) => {
  const ids = new Set(['status', 'record:set', 'record:list', 'release'])
  const valued = ['profile', 'node']
  const cases: [string[], string | undefined, string[]][] = [
    [['status'], 'status', []],
    [['record', 'set', 'a', 'b'], 'record:set', ['a', 'b']],
    [['--json', 'record', 'set', 'a'], 'record:set', ['--json', 'a']],
    [['--profile', 'status', 'record', 'list'], 'record:list', ['--profile', 'status']],
    [['--profile=x', 'status'], 'status', ['--profile=x']],
    [['--node', 'record'], undefined, ['--node', 'record']],
    [['release', 'list'], 'release', ['list']],
    [['record', '--json', 'set'], undefined, ['record', '--json', 'set']],
    [['nothing'], undefined, ['nothing']],
    [[], undefined, []],
  ]
  for (const [argv, id, rest] of cases) {
    const parsed = parseArgv(argv, ids, valued)
    t.same({ id: parsed.id, rest: parsed.rest }, { id, rest }, argv.join(' '))
  }
})

t.test('--version prints one line', async (t) => {
  t.match(await maki('--version'), { code: 0, stdout: /^maki \d+\.\d+\.\d+\n$/, stderr: '' })
})

t.test('what is mistyped is refused with what was meant', async (t) => {
  const cases: [string[], string, string][] = [
    [['stauts'], 'there is no command maki stauts', 'maki status'],
    [['record', 'sett', 'example.com'], 'there is no command maki record sett', 'maki record set'],
    [
      ['cert', 'delete'],
      'there is no command maki cert delete',
      ['export', 'import', 'list', 'remove', 'show'].map((verb) => `maki cert ${verb}`).join('\n     '),
    ],
    [['recrod', 'set'], 'there is no command maki recrod', 'maki record set'],
    [['zzzzzz'], 'there is no command maki zzzzzz', 'maki --help'],
    [['status', '--jsno'], 'there is no flag --jsno here', '--json'],
    [['history', '--limt', '3'], 'there is no flag --limt here', '--limit'],
    [['--zzzzzz'], 'there is no flag --zzzzzz here', 'maki --help'],
    [['record', '--jsno'], 'there is no flag --jsno here', '--json'],
    [['status', '--zzzzzz'], 'there is no flag --zzzzzz here', 'maki status --help'],
  ]
  for (const [argv, message, hint] of cases) {
    t.same(await maki(...argv), { code: 2, stdout: '', stderr: `Error: ${message}\nTry: ${hint}\n` }, argv.join(' '))
  }
  t.match(await maki('history', '--limit', 'many'), { code: 2, stderr: /--limit: an integer is expected, not many\n/ })
  t.match(await maki('dev', '--node', '3'), { code: 2, stderr: /maki dev --nodes 3/ })
  t.match(await maki('history', '--limit', '0'), { code: 2, stderr: /limit/ })
  t.match(await maki('cluster', 'recover'), {
    code: 2,
    stderr: /^Error: the flag --recovery-key is missing\nTry: maki cluster recover --help$/m,
  })
  t.notMatch((await maki('operator', 'add')).stderr, /Note:|Alternatively/, 'nothing about another mistake')
  t.match(await maki('show'), { code: 2, stderr: /arguments are missing:\n {2}operation .*\nTry: maki show --help/s })
  t.match(await maki('show', 'a', 'b'), { code: 2, stderr: /unexpected argument: b/ })
  t.match(await maki('sync', '--wait', 'some'), { code: 2, stderr: /wait/ })
})

t.test('with --json an error is one line of JSON on stderr, and nothing is on stdout', async (t) => {
  for (const argv of [['status'], ['stauts'], ['show'], ['status', '--zzz'], ['record', 'set', 'a']]) {
    const { code, stdout, stderr } = await maki(...argv, '--json')
    t.equal(code, 2)
    t.equal(stdout, '', argv.join(' '))
    t.match(stderr, /^[^\n]+\n$/)
    const shape = JSON.parse(stderr)
    t.match(shape, { code: /^MAKI_/, message: String, hint: String })
  }
})

t.test('--debug shows where an error comes from', async (t) => {
  t.notMatch((await maki('status')).stderr, /\n {4}at /)
  t.match((await maki('status', '--debug')).stderr, /\n {4}at /)
  t.match(JSON.parse((await maki('status', '--debug', '--json')).stderr), { code: /^MAKI_/, stack: /\n {4}at / })
})

t.test('colours only on a terminal that wants them', async (t) => {
  const introducer = '\u001b['
  const run = (env: Record<string, string>, terminal: boolean) =>
    runInProcess(['stauts'], { ...options, env: { ...options.env, ...env }, terminal })
  t.ok((await run({}, true)).stderr.includes(introducer))
  for (const env of [{ NO_COLOR: '1' }, { CI: 'true' }, { TERM: 'dumb' }]) {
    t.notOk((await run(env, true)).stderr.includes(introducer), JSON.stringify(env))
  }
  t.notOk((await run({}, false)).stderr.includes(introducer))
})

t.test('help is as it was agreed', async (t) => {
  const golden = join(import.meta.dirname, 'help.golden.txt')
  const ids = Object.keys(COMMANDS).filter((id) => id !== 'dev')
  const texts: string[] = []
  for (const argv of [[], ...ids.map((id) => id.split(':')), ['record'], ['release']]) {
    const { code, stdout, stderr } = await maki(...argv, '--help')
    t.same({ code, stderr }, { code: 0, stderr: '' })
    texts.push(
      `$ maki ${[...argv, '--help'].join(' ')}\n\n${stdout.replace(/makiatto\/\d\S* \S+ \S+/, 'makiatto/VERSION').trimEnd()}\n`,
    )
  }
  for (const text of texts.slice(1, ids.length + 1))
    t.match(text, /EXAMPLES\n {2}\$ maki /, 'every command has examples')
  const text = texts.join(`\n${'-'.repeat(80)}\n\n`)
  // GOLDEN=write makes it anew; the difference is then to be read before it is committed.
  if (process.env.GOLDEN === 'write') await writeFile(golden, text)
  t.equal(text, await readFile(golden, 'utf8'))
})
