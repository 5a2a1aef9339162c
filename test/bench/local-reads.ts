import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type CreatedCluster, createCluster } from '../../cli/client/create-cluster.ts'
import { EMPTY_EXCHANGE_LOG, writeExchangeLog } from '../../cli/client/exchange-log.ts'
import { systemRuntime } from '../../cli/system.ts'
import { silentLog } from '../../core/index.ts'
import { openLevelStore } from '../../replication/index.ts'
import { Author } from './author.ts'
import { addressOf, domainSet, recordSet } from './changes.ts'
import { line, spread, title } from './report.ts'
import { ratios, summarize } from './stats.ts'
import { run } from './sync.ts'

const OPERATIONS = Number(process.env.OPERATIONS ?? 10_000)
/** As many names as a large zone has, so that most operations replace a value. */
const NAMES = 1000
const BATCH = 2000
const ROUNDS = 11
const MAKI = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'cli', 'bin', 'maki')

/**
 * Commands that read the copy on this computer, as a shell runs them, against a Node that does nothing and against
 * `git log -1` of a repository with as many commits.
 */
export async function benchLocalReads(): Promise<void> {
  title(`5c. Reads of a copy with ${OPERATIONS} operations`)
  await using owned = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'makiatto-bench-'))
  owned.defer(() => rm(folder, { recursive: true, force: true }))
  const profile = await makeCopy(folder)
  const repository = await makeRepository(folder)
  const maki = (...words: string[]) => run(MAKI, [...words, '--profile', profile])
  const commands: Record<string, () => Promise<void>> = {
    'node -e 0': () => run(process.execPath, ['-e', '0']),
    'git log -1': () => run('git', ['-C', repository, 'log', '-1']),
    'maki --version': () => run(MAKI, ['--version']),
    'maki status --offline': () => maki('status', '--offline'),
    'maki history --offline': () => maki('history', '--offline'),
    'maki history --limit 1 --offline': () => maki('history', '--limit', '1', '--offline'),
    'maki record list --offline': () => maki('record', 'list', 'bench.example', '--offline'),
  }
  const times = new Map(Object.keys(commands).map((name) => [name, [] as number[]]))
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, act] of Object.entries(commands)) {
      const started = performance.now()
      await act()
      if (round > 0) times.get(name)?.push(performance.now() - started)
    }
  }
  const node = times.get('node -e 0') as number[]
  const git = times.get('git log -1') as number[]
  for (const [name, series] of times) {
    const against =
      series === node || series === git
        ? ''
        : `, ${spread(ratios(series, node))} times node -e 0, ${spread(ratios(series, git))} times git log -1`
    line(name, `${spread(summarize(series), ' ms')}${against}`)
  }
}

/** The profile of a cluster whose copy has all operations, and the checkpoint that commands before would have left. */
async function makeCopy(folder: string): Promise<string> {
  const runtime = systemRuntime
  const recoveryKeyPath = join(folder, 'recovery.key')
  const made = await createCluster({
    name: 'bench',
    operatorName: 'owner',
    dataDir: join(folder, 'data'),
    recoveryKeyPath,
    runtime,
  })
  await fill(made)
  const profile = join(folder, 'profile.toml')
  await writeFile(profile, `cluster = "${made.cluster}"\ndata = "data"\n`)
  await run(MAKI, ['history', '--limit', '1', '--offline', '--profile', profile])
  return profile
}

async function fill({ cluster, creation, operator, folder }: CreatedCluster): Promise<void> {
  const author = new Author(operator, cluster, [creation])
  const operations = [author.make([domainSet])]
  for (let i = operations.length + 1; i < OPERATIONS; i++)
    operations.push(author.make([recordSet(i % NAMES, addressOf(i))]))
  await using store = await openLevelStore({
    directory: folder.replica,
    cluster,
    runtime: systemRuntime,
    log: silentLog,
  })
  for (let from = 0; from < operations.length; from += BATCH) await store.append(operations.slice(from, from + BATCH))
  // Handed over long ago: what waits would be read each time.
  await writeExchangeLog(folder.exchange, { ...EMPTY_EXCHANGE_LOG, delivered: `${store.id}.${store.count}` })
}

/** A repository with one commit for each operation. */
async function makeRepository(folder: string): Promise<string> {
  const repository = join(folder, 'repository')
  await run('git', ['init', '--quiet', repository])
  const commits = Array.from(
    { length: OPERATIONS },
    (_, i) =>
      `commit refs/heads/main\ncommitter bench <bench@example.com> ${1_700_000_000 + i} +0000\ndata 1\nx\nM 100644 inline f\ndata ${String(i).length}\n${i}\n`,
  )
  const stream = join(folder, 'commits')
  await writeFile(stream, commits.join(''))
  await run('sh', [
    '-c',
    'git -C "$1" fast-import --quiet < "$2" && git -C "$1" symbolic-ref HEAD refs/heads/main',
    'sh',
    repository,
    stream,
  ])
  return repository
}
