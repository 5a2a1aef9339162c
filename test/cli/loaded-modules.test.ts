import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t from 'tap'
import { startTestCluster } from './support/test-cluster.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const HOOK = pathToFileURL(join(root, 'test', 'cli', 'support', 'list-modules.ts')).href

/** What no command needs that neither connects over SSH, nor answers visitors or other nodes. */
const HEAVY = [
  /^node_modules\/(ssh2|cpu-features|yjs|lib0|h3|sharp|chokidar|acme-client|mmdb-lib|y-protocols|@bytecodealliance)\//,
  /^edge\/(?!control\/)/,
  /^replication\/(gossip|mesh|seals|transfer|upkeep)\//,
  /^dns\/(alias|answer|explain|message|server|service|steering)\//,
  /^cli\/(node|dev|provision|bundle|health|delegation|wasm)\//,
]
/** And what a command that reads no project and writes no record needs neither. */
const RECORDS = [/^dns\//, /^node_modules\/dns-packet\//, /^cli\/(project|record|machine)\//]

/** One that is taken as loaded by a command, so that a change of the layout does not make the law empty. */
const CASES: readonly {
  line: readonly string[]
  code?: number
  without: readonly RegExp[]
  most: number
  has: string
}[] = [
  { line: ['--version'], without: [/^node_modules\//, /^core\//], most: 4, has: 'cli/program/package-info.ts' },
  { line: ['history'], without: [...HEAVY, ...RECORDS], most: 470, has: 'replication/replica/replica.ts' },
  { line: ['status'], without: [...HEAVY, ...RECORDS], most: 470, has: 'cli/client/control-client.ts' },
  { line: ['history', '--offline'], without: [...HEAVY, ...RECORDS], most: 470, has: 'cli/commands/history.ts' },
  { line: ['record', 'list', 'example.com'], without: HEAVY, most: 530, has: 'dns/rdata/index.ts' },
  { line: ['sync', '--dry-run'], without: HEAVY, most: 580, has: 'cli/project/scan.ts' },
]

t.test('a command loads what it needs, and no more', async (t) => {
  await using cluster = await startTestCluster()
  await mkdir(join(cluster.directory, 'site'))
  await writeFile(join(cluster.directory, 'site', 'index.html'), '<h1>hello</h1>')
  await writeFile(join(cluster.directory, 'makiatto.toml'), '[[domain]]\nname = "example.com"\npath = "site"\n')
  t.equal((await cluster.maki('pull')).code, 0)
  for (const { line, without, most, has } of CASES) {
    const name = ['maki', ...line].join(' ')
    const { modules, code, stderr } = await listModules(line, { cwd: cluster.directory, env: cluster.env })
    t.equal(code, 0, `${name}: ${stderr}`)
    t.ok(modules.includes(has), `${name} loads ${has}`)
    t.same(
      modules.filter((path) => without.some((pattern) => pattern.test(path))),
      [],
      `${name} leaves out what others need`,
    )
    t.ok(modules.length <= most, `${name} loads ${modules.length} modules, at most ${most}`)
  }
})

interface Run {
  /** Relative to the project; without those of Node. */
  readonly modules: readonly string[]
  readonly code: number
  readonly stderr: string
}

async function listModules(line: readonly string[], at: { cwd: string; env: NodeJS.ProcessEnv }): Promise<Run> {
  const list = join(at.cwd, 'modules.txt')
  const child = spawn(process.execPath, ['--import', HOOK, join(root, 'cli', 'main.ts'), ...line], {
    cwd: at.cwd,
    env: { ...at.env, MODULE_LIST: list, NODE_NO_WARNINGS: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [code] = (await once(child, 'close')) as [number]
  const base = pathToFileURL(`${root}/`).href
  const urls = (await readFile(list, 'utf8')).split('\n').filter((url) => url.startsWith('file:') && url !== HOOK)
  return { modules: urls.map((url) => url.replace(base, '')), code, stderr }
}
