import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import t from 'tap'
import { displayWidth } from '../../cli/output/table.ts'
import type { Change } from '../../core/index.ts'
import { runInProcess, startTestCluster, testKey } from './support/test-cluster.ts'

/** What people read, on a terminal of forty columns, without one, and with names that somebody chose to do harm. */

const NARROW = 40
/** What a terminal does something about; line ends and tabs are ours. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this looks for
const ACTED_ON = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e\u2028]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this looks for
const COLOURS = /\u001b\[\d+m|\r\u001b\[2K/g
/** Clears the screen, turns text around, and ends a line. */
const HOSTILE = 'ann\u001b[2J\u202egnp.\u009b31m\u2028x'

const cluster = await startTestCluster({ nodes: ['amsterdam', 'johannesburg'] })
t.teardown(() => cluster[Symbol.asyncDispose]())
const operators: Change[] = [
  { kind: 'operator.add', key: testKey(41).key, name: HOSTILE, role: 'operator' },
  { kind: 'operator.add', key: testKey(42).key, name: '日本の運営者', role: 'operator' },
]
for (const change of operators) await cluster.write(cluster.nodes[0]!, [change])
await cluster.maki('record', 'set', 'example.com', 'www', 'A', '192.0.2.1', '192.0.2.2', '-m', HOSTILE)
await cluster.maki(
  'record',
  'set',
  'example.com',
  '_dmarc',
  'TXT',
  'v=DMARC1; p=reject; rua=mailto:postmaster@example.com',
)
await cluster.maki('sync', '--config', await writeSite())

async function writeSite(): Promise<string> {
  const file = join(cluster.directory, 'makiatto.toml')
  await mkdir(join(cluster.directory, 'site'))
  await writeFile(join(cluster.directory, 'site', '日本語 page.html'), 'hello')
  await writeFile(file, '[[domain]]\nname = "example.com"\npath = "site"\naliases = ["www2.example.com"]\n')
  return file
}

const LISTS: readonly string[][] = [
  ['status'],
  ['health'],
  ['history'],
  ['record', 'list'],
  ['operator', 'list'],
  ['domain', 'list'],
  ['machine', 'list'],
  ['machine', 'show', 'amsterdam'],
  ['release', 'list', 'example.com'],
  ['release', 'show', 'example.com', '--files'],
  ['cluster', 'show'],
  ['conflicts'],
  ['cert', 'list'],
  ['peer', 'list'],
  ['state', '--key', 'example.com'],
  ['blame', 'example.com'],
  ['dns', 'nameserver-setup'],
]

const run = (argv: readonly string[], terminal: boolean, columns?: number) =>
  runInProcess(argv, {
    env: cluster.env,
    cwd: cluster.directory,
    terminal,
    ...(columns === undefined ? {} : { columns }),
  })
/** Without times, which pass between two runs, and titles, which stand only where there is something below. */
const wordsOf = (text: string): string[] =>
  stripVTControlCharacters(text)
    .split(/\s+/)
    .filter((word) => word !== '' && !/^(\d|just$|now$|ago$|seconds?$|ms$|[A-Z]+$)/.test(word))

for (const argv of LISTS) {
  t.test(`maki ${argv.join(' ')}`, async (t) => {
    const plain = await run(argv, false)
    const wide = await run(argv, true, 200)
    const narrow = await run(argv, true, NARROW)
    t.ok(plain.stdout.length > 0 && plain.code < 2, plain.stderr)
    for (const [shown, what] of [
      [wide, 'colours are all that is added'],
      [narrow, 'nothing is lost'],
    ] as const) {
      const words = new Set(wordsOf(shown.stdout))
      t.strictSame(
        wordsOf(plain.stdout).filter((word) => !words.has(word)),
        [],
        what,
      )
    }
    t.notMatch(plain.stdout + plain.stderr, ACTED_ON, 'plain without a terminal')
    for (const { stdout, stderr } of [wide, narrow])
      t.notMatch((stdout + stderr).replace(COLOURS, ''), ACTED_ON, 'nothing else on one')
    for (const line of stripVTControlCharacters(narrow.stdout).split('\n')) {
      const gap = /\S {3,}\S/.exec(line)
      t.ok(gap === null || displayWidth(line.slice(0, gap.index)) < NARROW, `columns that wrap: ${line}`)
    }
    const json = await cluster.maki(...argv, '--json')
    t.doesNotThrow(() => JSON.parse(json.stdout))
    t.notMatch(json.stdout, ACTED_ON, 'nor in JSON')
  })
}
