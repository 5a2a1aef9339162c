import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startCluster } from './cluster.ts'
import { line, spread, title } from './report.ts'
import { ratios, summarize } from './stats.ts'
import { run } from './sync.ts'

const ROUNDS = 11
const MAKI = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'cli', 'bin', 'maki')

/** Whole commands as a shell runs them, against a Node that does nothing. */
export async function benchStartUp(): Promise<void> {
  title('5a. Start of a command')
  await using cluster = await startCluster(3)
  const commands: Record<string, () => Promise<void>> = {
    'node -e 0': () => run(process.execPath, ['-e', '0']),
    'maki --version': () => run(MAKI, ['--version']),
    'maki status': () => run(MAKI, ['status', '--profile', cluster.profile]),
  }
  const times = new Map(Object.keys(commands).map((name) => [name, [] as number[]]))
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, act] of Object.entries(commands)) {
      const started = performance.now()
      await act()
      if (round > 0) times.get(name)?.push(performance.now() - started)
    }
  }
  const bare = times.get('node -e 0') as number[]
  for (const [name, series] of times) {
    const ratio = series === bare ? '' : `, ${spread(ratios(series, bare))} times node -e 0`
    line(name, `${spread(summarize(series), ' ms')}${ratio}`)
  }
}
