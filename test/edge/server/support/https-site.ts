import type { Test } from 'tap'
import { systemRuntime } from '../../../../cli/system.ts'
import { silentLog } from '../../../../core/index.ts'
import {
  CertificateStore,
  type HostCertificate,
  type HttpServerOptions,
  type Learnt,
  type Need,
  startHttpServer,
} from '../../../../edge/index.ts'
import { INTERMEDIATE, LEAF, LEAF_KEY } from '../../../support/certificates.ts'
import { buildManifest, buildSite, buildTable, MemoryBlobs } from '../../fixtures.ts'

const YEAR_MS = 365 * 86_400_000

/** For example.com and *.example.com. */
export const EXAMPLE: HostCertificate = {
  name: 'example.com',
  names: ['*.example.com', 'example.com'],
  chain: LEAF + INTERMEDIATE,
  key: LEAF_KEY,
  notBeforeMs: 0,
  notAfterMs: 200 * YEAR_MS,
}

export const BIG_BYTES = 4 * 1024 * 1024
const big = new Uint8Array(BIG_BYTES).map((_, i) => (i * 31 + (i >> 8)) & 0xff)
export const FILES = { 'index.html': '<h1>home</h1>', 'big.bin': big }
/** A path whose answer waits for what is never learnt before the server ends. */
export const HELD = '/held.0a1b2c3d4e5f6071.js'

/** A node that serves one site, with more files if need be, in clear and over TLS on ports of its own, closed with the test. */
export async function startSite(
  t: Test,
  part: Partial<HttpServerOptions> = {},
  files: Readonly<Record<string, Uint8Array>> = {},
) {
  const blobs = new MemoryBlobs()
  const table = buildTable(buildSite(buildManifest(blobs, { ...FILES, ...files })))
  const certificates = new CertificateStore({ runtime: systemRuntime, log: silentLog })
  certificates.replace([EXAMPLE])
  const held = Promise.withResolvers<Learnt>()
  const learn = (_need: Need) => held.promise
  const server = await startHttpServer({
    table: () => table,
    blobs,
    node: 'tokyo',
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    runtime: systemRuntime,
    learn,
    ...part,
    tls: { host: '127.0.0.1', port: 0, certificates, ...part.tls },
  })
  const release = () => held.resolve({ asset: null })
  t.teardown(async () => {
    release()
    await server.close()
  })
  const port = server.https?.address.port as number
  return { server, port, plainPort: server.address.port, blobs, certificates, big, release }
}
