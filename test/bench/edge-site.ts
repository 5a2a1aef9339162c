/** The process of the server that `bench edge` measures: one worker's HTTP, and a site in a folder of blobs. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { systemRuntime } from '../../cli/system.ts'
import { type Hostname, hashBlob, Manifest, type OperationId, silentLog } from '../../core/index.ts'
import { CertificateStore, type Site, SiteTable, startHttpServer } from '../../edge/index.ts'
import { openBlobReader } from '../../replication/index.ts'

/** What the process is told, as JSON in its only argument. */
export interface EdgeSiteOptions {
  readonly folder: string
  /** Path -> size in bytes; the bytes follow from the size. */
  readonly files: Readonly<Record<string, number>>
  /** More files beside these. */
  readonly moreFiles?: number
  /** More domains beside example.com. */
  readonly moreDomains?: number
  /** Releases of another domain, each second. */
  readonly releasesPerSecond?: number
  readonly certificate?: { readonly certFile: string; readonly keyFile: string }
}

const DOMAIN = 'example.com' as Hostname
const YEAR_MS = 365 * 86_400_000

/** The same for all servers that are compared. */
export const fileBytes = (size: number): Buffer => Buffer.alloc(size, `${size} bytes. `)

if (process.argv[1] === import.meta.filename) await serve(JSON.parse(process.argv[2] ?? '{}') as EdgeSiteOptions)

async function serve(options: EdgeSiteOptions): Promise<void> {
  const blobs = openBlobReader(options.folder)
  const entries = Object.entries(options.files).map(([path, sizeBytes]) => {
    const bytes = fileBytes(sizeBytes)
    const hash = hashBlob(bytes)
    mkdirSync(dirname(blobs.path(hash)), { recursive: true })
    writeFileSync(blobs.path(hash), bytes)
    return { path, hash, sizeBytes }
  })
  const [first] = entries
  const more = Array.from({ length: options.moreFiles ?? 0 }, (_, i) => ({
    ...first!,
    path: `more/${i % 100}/${i}.bin`,
  }))
  const manifest = Manifest.of([...entries, ...more])
  const names = Array.from({ length: options.moreDomains ?? 0 }, (_, i) => `site-${i}.example.org`)
  let table = SiteTable.empty.with(
    new Map([DOMAIN, ...(names as Hostname[])].map((name) => [name, siteOf(name, manifest, 0)])),
  )
  const server = await startHttpServer({
    table: () => table,
    blobs,
    node: 'bench',
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    runtime: systemRuntime,
    tls: options.certificate && { host: '127.0.0.1', port: 0, certificates: certificatesOf(options.certificate) },
  })
  const { releasesPerSecond = 0 } = options
  if (releasesPerSecond > 0) {
    const other = 'other.example' as Hostname
    let release = 0
    const publish = () => {
      table = table.with(new Map([[other, siteOf(other, manifest, ++release)]]))
      systemRuntime.after(1000 / releasesPerSecond, publish)
    }
    publish()
  }
  process.stdout.write(`${JSON.stringify({ port: server.address.port, httpsPort: server.https?.address.port })}\n`)
  process.on('SIGTERM', () => process.exit(0))
}

function siteOf(domain: Hostname, manifest: Manifest, release: number): Site {
  const id = release.toString(2).padStart(52, 'a').replaceAll('0', 'b').replaceAll('1', 'c') as OperationId
  return {
    domain,
    hosts: [domain],
    spa: false,
    previews: false,
    redirect: undefined,
    release: { id, manifest },
    published: true,
  }
}

function certificatesOf({ certFile, keyFile }: { certFile: string; keyFile: string }): CertificateStore {
  const store = new CertificateStore({ runtime: systemRuntime, log: silentLog })
  const [chain, key] = [certFile, keyFile].map((file) => readFileSync(file, 'utf8')) as [string, string]
  const notAfterMs = systemRuntime.now() + YEAR_MS
  store.replace([{ name: DOMAIN, names: [DOMAIN], chain, key, notBeforeMs: 0, notAfterMs }])
  return store
}
