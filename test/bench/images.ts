import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { systemRuntime } from '../../cli/system.ts'
import { silentLog } from '../../core/index.ts'
import { ImageService, startHttpServer } from '../../edge/index.ts'
import { buildManifest, buildSite, buildTable, MemoryBlobs } from '../edge/fixtures.ts'
import { makePhoto } from '../edge/images/image-files.ts'
import { line, spread, title } from './report.ts'
import { ratios, summarize } from './stats.ts'

const ROUNDS = 9
const SECONDS = '3'
const MIB = 1024 * 1024
const run = promisify(execFile)

/**
 * A photograph of 12 megapixels made 800 pixels wide in WebP: asked of a server that has not made it, against sharp alone,
 * in turns; and the result once it is there, against a static file of the same bytes.
 */
export async function benchImages(): Promise<void> {
  title('Images')
  const jpeg = await sharp(await makePhoto(4000, 3000))
    .jpeg({ quality: 90 })
    .toBuffer()
  const small = await sharp(jpeg).resize(800).webp({ quality: 80 }).toBuffer()
  line('a photograph of 4000 x 3000', `${(jpeg.length / MIB).toFixed(1)} MiB of JPEG`)
  const blobs = new MemoryBlobs()
  const table = buildTable(buildSite(buildManifest(blobs, { 'photo.jpg': jpeg, 'static.webp': small })))
  const folder = await mkdtemp(join(tmpdir(), 'makiatto-bench-'))
  const ports = { blobs, runtime: systemRuntime, log: silentLog }
  const settings = { maxWidth: 4096, maxHeight: 4096, formats: ['webp'], widths: [] } as const
  const directory = join(folder, 'images')
  await using service = new ImageService(
    { settings, directory, cacheBytes: 500 * MIB, memoryBytes: 50 * MIB, workers: 1 },
    ports,
  )
  await service.start()
  await using server = await startHttpServer({
    ...ports,
    table: () => table,
    node: 'bench',
    host: '127.0.0.1',
    port: 0,
    images: service,
    learn: async (need) => (need.kind === 'image' ? { image: await service.render(need.job, need) } : {}),
  })
  const origin = `http://127.0.0.1:${server.address.port}`
  const ask = async (query: string): Promise<void> => {
    const { stdout } = await run('curl', [
      '-sS',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code} %{content_type}',
      '-H',
      'Host: example.com',
      `${origin}/photo.jpg?${query}`,
    ])
    if (stdout !== '200 image/webp') throw new Error(stdout)
  }
  try {
    const cold: number[] = []
    const alone: number[] = []
    const answered: number[] = []
    await ask('w=799&fmt=webp')
    sharp.cache(false)
    for (let round = 0; round < ROUNDS; round++) {
      // Another quality each time, so that nothing is kept of it.
      const quality = 80 + round
      cold.push(await time(() => ask(`w=800&fmt=webp&q=${quality}`)))
      answered.push(await time(() => ask(`w=800&fmt=webp&q=${quality}`)))
      alone.push(await time(() => sharp(jpeg).autoOrient().resize(800).webp({ quality }).toBuffer()))
    }
    line('asked of a server that has not made it', spread(summarize(cold), ' ms'))
    line('asked again (curl, mostly its start)', spread(summarize(answered), ' ms'))
    line('sharp alone, all its threads', spread(summarize(alone), ' ms'))
    const made = cold.map((value, i) => value - (answered[i] as number))
    line('ratio, without what a request costs', spread(ratios(made, alone)))
    line('ratio', spread(ratios(cold, alone)))
    if (!isInstalled('wrk')) return line('wrk', 'is not installed, not measured')
    const cached: number[] = []
    const file: number[] = []
    for (let round = 0; round < 3; round++) {
      cached.push(await requestsPerSecond(`${origin}/photo.jpg?w=800&fmt=webp&q=80`))
      file.push(await requestsPerSecond(`${origin}/static.webp`))
    }
    line('once it is made, requests a second', spread(summarize(cached)))
    line(`a static file of ${Math.round(small.length / 1024)} KiB, the same`, spread(summarize(file)))
    line('ratio', spread(ratios(cached, file)))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function time(act: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await act()
  return performance.now() - start
}

async function requestsPerSecond(url: string): Promise<number> {
  const { stdout } = await run('wrk', ['-t1', '-c64', `-d${SECONDS}s`, '-H', 'host: example.com', url])
  return Number(/Requests\/sec:\s+([0-9.]+)/.exec(stdout)?.[1])
}

function isInstalled(command: string): boolean {
  try {
    execFileSync('which', [command], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
