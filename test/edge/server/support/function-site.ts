import { createHash } from 'node:crypto'
import type { Test } from 'tap'
import { systemRuntime } from '../../../../cli/system.ts'
import { silentLog } from '../../../../core/index.ts'
import {
  FunctionService,
  type FunctionServiceOptions,
  FunctionTable,
  type GuestOutcome,
  type GuestRequest,
  type GuestRunner,
  type HttpServerOptions,
} from '../../../../edge/index.ts'
import { buildManifest, buildSite, buildTable, MemoryBlobs, releaseId } from '../../fixtures.ts'
import { functionValue } from '../../functions/support.ts'
import { startSite } from './https-site.ts'

/** What a guest was asked with, its trace aside: it is another each time. */
export interface Seen extends Omit<GuestRequest, 'body'> {
  readonly bytes: number | undefined
  readonly hash: string | undefined
}

export function describeRequest({ body, headers, ...rest }: GuestRequest): Seen {
  const hash = body && createHash('sha256').update(body).digest('hex')
  return { ...rest, headers: headers.filter(([name]) => name !== 'makiatto-trace'), bytes: body?.length, hash }
}

/** A guest that answers with what it saw; `/api/<status>` with that status. */
export function echo(request: GuestRequest): GuestOutcome {
  const status = Number(/^\/api\/([0-9]{3})$/.exec(request.path)?.[1] ?? 200)
  const body = Buffer.from(JSON.stringify(describeRequest(request)))
  const headers = [['content-type', 'application/json; charset=utf-8']] as const
  return { kind: 'answered', response: { status, headers, body }, cpuMs: 0 }
}

/** A site with functions below `/api/`, which `run` answers for, and files beside them. */
export async function startFunctions(
  t: Test,
  run: (request: GuestRequest) => GuestOutcome | Promise<GuestOutcome> = echo,
  part: Partial<HttpServerOptions> = {},
  options: FunctionServiceOptions = {},
) {
  const blobs = new MemoryBlobs()
  const manifest = buildManifest(blobs, { 'index.html': '<h1>home</h1>', 'api/file.txt': 'a file' })
  const functions = new FunctionTable([
    functionValue('api/[[...rest]].wasm'),
    functionValue('get.wasm', ['GET']),
    functionValue('post.wasm', ['POST']),
  ])
  const table = buildTable(buildSite(manifest, { release: { id: releaseId('b'), manifest, functions } }))
  const runner: GuestRunner = {
    run: async ({ input }) => await run((input as { readonly request: GuestRequest }).request),
  }
  const service = new FunctionService({ runner, runtime: systemRuntime, log: silentLog }, options)
  const site = await startSite(t, {
    table: () => table,
    blobs,
    functions: true,
    learn: async (need, request) => {
      if (need.kind !== 'function') return { asset: null, preview: null }
      return { function: await service.call(need.call, request) }
    },
    ...part,
  })
  return { ...site, service }
}
