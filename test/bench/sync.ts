import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BenchCluster, startCluster } from './cluster.ts'
import { line, number, spread, title } from './report.ts'
import { changeFiles, type GeneratedSite, generateSite } from './site-files.ts'
import { ratios, summarize } from './stats.ts'

const FILES = 10_000
const BYTES = 200 * 1000 * 1000
const CHANGED = 100
const ROUNDS = Number(process.env.ROUNDS ?? 3)
/** How often 100 files change after a first copy. */
const CHANGES = 3

const MAKI = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'cli', 'bin', 'maki')

/**
 * `maki sync --wait all` to a fresh cluster of three, start-up of the command included and every file durable at its
 * node, against `rsync -a` to three folders one after another, which syncs nothing to disk. The disk is flushed
 * before each, so that nobody pays for another's writes. Nothing is deleted before the end, which would
 * be work for the file system too.
 */
export async function benchSync(): Promise<void> {
  title(`3. ${FILES} files (${BYTES / 1e6} MB) to three nodes, then ${CHANGED} changed files`)
  await using owned = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'makiatto-bench-'))
  owned.defer(() => rm(folder, { recursive: true, force: true }))
  const site = await generateSite(join(folder, 'site'), FILES, BYTES)
  const project = join(folder, 'makiatto.toml')
  await writeFile(project, '[[domain]]\nname = "bench.example"\npath = "./site"\n')
  const first = { maki: [] as number[], rsync: [] as number[], flushed: [] as number[] }
  const later = { maki: [] as number[], rsync: [] as number[], flushed: [] as number[] }
  for (let round = 0; round < ROUNDS; round++) {
    await using cluster = await startCluster(3, folder)
    const targets = [1, 2, 3].map((i) => join(folder, `copy-${round}-${i}`))
    first.maki.push(await timeFlushed(() => sync(cluster, project)))
    first.rsync.push(await timeFlushed(() => rsync(site, targets)))
    first.flushed.push((first.rsync.at(-1) as number) + (await timeFlush()))
    for (let change = 0; change < CHANGES; change++) {
      await changeFiles(site, CHANGED, round * CHANGES + change)
      later.maki.push(await timeFlushed(() => sync(cluster, project)))
      later.rsync.push(await timeFlushed(() => rsync(site, targets)))
      later.flushed.push((later.rsync.at(-1) as number) + (await timeFlush()))
    }
    console.log(`  round ${round + 1}: first ${list(first)}; changed ${list(later)} s (maki/rsync)`)
  }
  line('first: maki sync --wait all', spread(summarize(first.maki), ' s'))
  line('first: rsync -a, three times', spread(summarize(first.rsync), ' s'))
  line('first: maki / rsync', spread(ratios(first.maki, first.rsync)))
  line('first: maki / (rsync and sync)', spread(ratios(first.maki, first.flushed)))
  line('100 changed: maki sync --wait all', spread(summarize(later.maki), ' s'))
  line('100 changed: rsync -a, three times', spread(summarize(later.rsync), ' s'))
  line('100 changed: maki / rsync', spread(ratios(later.maki, later.rsync)))
  line('100 changed: maki / (rsync and sync)', spread(ratios(later.maki, later.flushed)))
}

/** The command as a person types it. */
export async function sync({ profile }: BenchCluster, project: string): Promise<void> {
  await run(MAKI, ['sync', '--wait', 'all', '--config', project, '--profile', profile, '--json'])
}

async function rsync({ folder }: GeneratedSite, targets: readonly string[]): Promise<void> {
  for (const target of targets) await run('rsync', ['-a', `${folder}/`, target])
}

/** Seconds until what was written before is on disk: what `rsync` leaves for later. */
async function timeFlush(): Promise<number> {
  const started = performance.now()
  await run('sync', [])
  return (performance.now() - started) / 1000
}

/** Seconds, on a disk that has nothing else to write. */
async function timeFlushed(act: () => Promise<void>): Promise<number> {
  await run('sync', [])
  const started = performance.now()
  await act()
  return (performance.now() - started) / 1000
}

/** Runs a program; rejects with its words when it fails. */
export async function run(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let words = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      words += text
    })
  }
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${words}`)
}

const list = ({ maki, rsync }: { maki: readonly number[]; rsync: readonly number[] }): string =>
  maki.map((seconds, i) => `${number(seconds)}/${number(rsync[i] as number)}`).join(' ')
