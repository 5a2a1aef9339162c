import { type FunctionValue, type Hostname, hashBlob, type Log, type Runtime, silentLog } from '../../../core/index.ts'
import {
  FunctionService,
  type FunctionServiceOptions,
  type GuestOutcome,
  type GuestResponse,
  type GuestRun,
} from '../../../edge/index.ts'
import { buildManifest, FakeRuntime, MemoryBlobs, releaseId, siteRequest } from '../fixtures.ts'

export const DOMAIN = 'example.com' as Hostname
export const MANIFEST = buildManifest(new MemoryBlobs(), { 'index.html': 'home' })

export const functionValue = (path: string, methods?: readonly string[]): FunctionValue => ({
  path,
  component: hashBlob(Buffer.from(path)),
  ...(methods === undefined ? {} : { methods: [...methods] }),
})

export const gives = (part: Partial<GuestResponse> = {}): GuestOutcome => ({
  kind: 'answered',
  response: { status: 200, headers: [], body: undefined, ...part },
  cpuMs: 1,
})

/** A service whose guests do what `run` says. */
export function startService(
  run: (run: GuestRun) => GuestOutcome | Promise<GuestOutcome>,
  options: FunctionServiceOptions & { readonly log?: Log; readonly runtime?: Runtime } = {},
) {
  const { log = silentLog, runtime = new FakeRuntime(), ...rest } = options
  const service = new FunctionService({ runner: { run: async (each) => await run(each) }, runtime, log }, rest)
  const called = { ...functionValue('api/hello.wasm'), route: 'api/hello', isCatchAll: false }
  const call = {
    domain: DOMAIN,
    release: releaseId('b'),
    manifest: MANIFEST,
    called,
    path: '/api/hello',
    query: 'x=1',
    host: 'www.example.com',
    isProtected: false,
  }
  const ask = (asked: Parameters<typeof siteRequest>[0] = {}, part: Partial<typeof call> = {}) =>
    service.call({ ...call, ...part }, siteRequest(asked))
  return { service, ask, call }
}

/** Content that is there. */
export function contentOf(bytes: Uint8Array) {
  return {
    lengthBytes: bytes.length,
    isRead: false,
    isDropped: false,
    async read(maxBytes: number, mayHold: (bytes: number) => boolean = () => true) {
      this.isRead = true
      if (bytes.length > maxBytes) return 'too-large' as const
      return mayHold(bytes.length) ? bytes : ('refused' as const)
    },
    drop() {
      this.isDropped = true
    },
  }
}
