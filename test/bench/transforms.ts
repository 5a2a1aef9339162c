import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { systemRuntime } from '../../cli/system.ts'
import { type Hostname, hashBlob, Manifest, silentLog } from '../../core/index.ts'
import {
  type GuestRunner,
  SiteTransforms,
  startHttpServer,
  TransformedBlobs,
  TransformService,
} from '../../edge/index.ts'
import { openBlobReader } from '../../replication/index.ts'
import { buildSite, buildTable, releaseId } from '../edge/fixtures.ts'
import { line, spread, title } from './report.ts'
import { ratios, summarize } from './stats.ts'

const ROUNDS = 7
const SECONDS = '2'
const MIB = 1024 * 1024
const SIZES = [4 * 1024, 100 * 1024, 1000 * 1024]
const run = promisify(execFile)

/** Files that were transformed, against static files of the same bytes from the same server, in turns. */
export async function benchTransforms(): Promise<void> {
  title('Transformed files')
  const folder = await mkdtemp(join(tmpdir(), 'makiatto-bench-'))
  try {
    await measure(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function measure(folder: string): Promise<void> {
  const blobs = openBlobReader(folder)
  const files = await Promise.all(
    SIZES.flatMap((size) => [
      { path: `static/${size}.txt`, content: Buffer.alloc(size, 'transformed') },
      { path: `made/${size}.txt`, content: Buffer.alloc(size, 'as published') },
    ]).map(async ({ path, content }) => {
      const hash = hashBlob(content)
      await mkdir(dirname(blobs.path(hash)), { recursive: true })
      await writeFile(blobs.path(hash), content)
      return { path, hash, sizeBytes: content.length }
    }),
  )
  const manifest = Manifest.of(files)
  const runner: GuestRunner = {
    run: async ({ input }) => {
      if (input.world !== 'transform') throw new Error('only files are transformed here')
      const content = Buffer.alloc(input.file.content.length, 'transformed')
      return { kind: 'transformed', result: { content, mimeType: undefined, headers: [] }, cpuMs: 0 }
    },
  }
  const ports = { blobs, runner, runtime: systemRuntime, log: silentLog }
  const context = { name: 'bench', latitude: 0, longitude: 0 }
  const options = { directory: join(folder, 'transformed'), cacheBytes: 200 * MIB, workers: 1 }
  const service = new TransformService(options, { ...ports, context: () => context })
  await service.start()
  const step = { path: 't.wasm', component: hashBlob(Buffer.from('t')), files: 'made/**' }
  const release = {
    domain: 'example.com' as Hostname,
    id: releaseId('b'),
    manifest,
    manifestHash: hashBlob(Buffer.from('m')),
  }
  const transforms = new SiteTransforms({ ...release, transforms: [step] })
  const table = buildTable({ ...buildSite(manifest), release: { id: release.id, manifest, transforms } })
  await using server = await startHttpServer({
    ...ports,
    blobs: new TransformedBlobs(blobs, service),
    transforms: service,
    learn: async (need) => (need.kind === 'transform' ? { transform: await service.transform(need.job) } : {}),
    table: () => table,
    node: 'bench',
    host: '127.0.0.1',
    port: 0,
  })
  const load = async (path: string): Promise<number> => {
    const url = `http://127.0.0.1:${server.address.port}/${path}`
    const { stdout } = await run('wrk', ['-t1', '-c16', `-d${SECONDS}s`, '-H', 'Host: example.com', url])
    return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1])
  }
  for (const size of SIZES) {
    const [made, fixed]: [number[], number[]] = [[], []]
    for (let round = 0; round < ROUNDS; round++) {
      made.push(await load(`made/${size}.txt`))
      fixed.push(await load(`static/${size}.txt`))
    }
    line(`${size / 1024} KiB, transformed`, spread(summarize(made), '/s'))
    line(`${size / 1024} KiB, static`, spread(summarize(fixed), '/s'))
    line('  ratio', spread(ratios(made, fixed)))
  }
}
