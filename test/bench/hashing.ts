import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { scanSite } from '../../cli/project/scan.ts'
import { systemRuntime } from '../../cli/system.ts'
import { line, number, spread, title } from './report.ts'
import { generateSite } from './site-files.ts'
import { ratios, summarize } from './stats.ts'
import { run } from './sync.ts'

const FILES = 10_000
const BYTES = 1000 * 1000 * 1000
const ROUNDS = 5

/**
 * What `maki sync` does before it asks a node: a folder walked and hashed on one thread and on two, against `sha256sum` of
 * coreutils on one core and on two; then the same folder when nothing has changed. Everything lies in the memory of the system.
 */
export async function benchHashing(): Promise<void> {
  title(`3b. Hashing ${FILES} files (${BYTES / 1e6} MB)`)
  await using owned = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'makiatto-bench-'))
  owned.defer(() => rm(folder, { recursive: true, force: true }))
  const site = join(folder, 'site')
  await generateSite(site, FILES, BYTES)
  const cacheFile = join(folder, 'scan-cache.json')
  const scan = async (options: { asideBytes?: number; cacheFile?: string }) => {
    await scanSite('bench.example', site, { runtime: systemRuntime, ...options })
  }
  const sums = (processes: number) =>
    run('sh', ['-c', `find "$1" -type f -print0 | xargs -0 -n 200 -P ${processes} sha256sum > /dev/null`, 'sh', site])
  const acts: Record<string, () => Promise<void>> = {
    'sha256sum, one core': () => sums(1),
    'sha256sum, two cores': () => sums(2),
    'scan, one thread': () => scan({ asideBytes: Number.POSITIVE_INFINITY }),
    'scan, two threads': () => scan({ asideBytes: 0 }),
    'scan, nothing changed': () => scan({ cacheFile }),
  }
  const times = new Map(Object.keys(acts).map((name) => [name, [] as number[]]))
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, act] of Object.entries(acts)) {
      const started = performance.now()
      await act()
      if (round > 0) times.get(name)?.push(performance.now() - started)
    }
  }
  const one = times.get('sha256sum, one core') as number[]
  const two = times.get('sha256sum, two cores') as number[]
  for (const [name, series] of times) {
    const rate = `${number(BYTES / 1e6 / (summarize(series).median / 1000))} MB/s`
    const against = series === one || series === two ? '' : `, ${spread(ratios(series, two))} times sha256sum on two`
    line(name, `${spread(summarize(series), ' ms')}, ${rate}${against}`)
  }
}
