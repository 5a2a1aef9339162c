import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BenchCluster, sleep, startCluster } from './cluster.ts'
import { line, title } from './report.ts'
import { changeFiles, generateSite } from './site-files.ts'
import { sync } from './sync.ts'

const FILES = 10_000
const BYTES = 200 * 1000 * 1000
/** Long enough for a node to have nothing left to do. */
const REST_MS = 5000

/**
 * Resident memory of nodes that do nothing, as the kernel sees it: RSS counts what processes share for each of them (the
 * program itself, some 50 MB), PSS divides it among them. The second start finds compiled modules.
 */
export async function benchMemory(): Promise<void> {
  title('4. Memory of an idle node')
  const folder = await mkdtemp(join(tmpdir(), 'makiatto-bench-'))
  process.env.NODE_COMPILE_CACHE = join(folder, 'compiled')
  try {
    for (const start of ['first start, compiling', 'later start']) {
      await using cluster = await startCluster(3)
      await sleep(REST_MS)
      line(`fresh, ${start}`, await describeNodes(cluster))
      if (start !== 'later start') continue
      const site = await generateSite(join(folder, 'site'), FILES, BYTES)
      const project = join(folder, 'makiatto.toml')
      await writeFile(project, '[[domain]]\nname = "bench.example"\npath = "./site"\n')
      await sync(cluster, project)
      for (let change = 0; change < 3; change++) {
        await changeFiles(site, 100, change)
        await sync(cluster, project)
      }
      await sleep(REST_MS)
      line(`after a sync of ${FILES} files and three of 100`, await describeNodes(cluster))
    }
  } finally {
    delete process.env.NODE_COMPILE_CACHE
    await rm(folder, { recursive: true, force: true })
  }
}

async function describeNodes({ nodes }: BenchCluster): Promise<string> {
  const all = await Promise.all(nodes.map((node) => readMemory(node.pid())))
  const list = (name: 'Rss' | 'Pss') => all.map((memory) => Math.round(memory[name])).join(' ')
  return `RSS ${list('Rss')} MB, PSS ${list('Pss')} MB`
}

/** Of a process, in MB of 10^6 bytes. */
export async function readMemory(pid: number): Promise<{ Rss: number; Pss: number }> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  const read = (name: string) => (Number(new RegExp(`^${name}:\\s+([0-9]+) kB`, 'm').exec(text)?.[1]) * 1024) / 1e6
  return { Rss: read('Rss'), Pss: read('Pss') }
}
