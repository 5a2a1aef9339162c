import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemRuntime } from '../../../cli/system.ts'
import { type Hostname, hashBlob, silentLog } from '../../../core/index.ts'
import { ComponentBuilder } from '../../../edge/component-builder/component-builder.ts'
import type { GuestInput, GuestSpec } from '../../../edge/guest-contract/index.ts'
import { GuestPool } from '../../../edge/guests/guest-pool.ts'
import { createSiteServices } from '../../../edge/guests/index.ts'
import { openOutgoing } from '../../../edge/outgoing/index.ts'
import { buildManifest, MemoryBlobs } from '../fixtures.ts'
import { GuestClient } from './guest-client.ts'

/**
 * A node in a network of its own, with the network of guests as it is in production. Does what it is told by its arguments,
 * `tcp ADDRESS PORT`, `http URL` or `resolve NAME` each in one, and says what came of it as lines of JSON. The first argument is
 * `asks`, or a folder with `fetch.wasm` and `dial.wasm`, which then do it: as components, in processes of theirs.
 */
const MIB = 1024 * 1024
const [how = '', ...all] = process.argv.slice(2)
await using outgoing = openOutgoing({
  runtime: systemRuntime,
  log: { warn() {} },
  resolvers: ['1.2.3.4:20053'],
  ownAddresses: () => ['5.6.7.8'],
})
await using owned = new AsyncDisposableStack()
const run = how === 'asks' ? askDirectly : await runComponents(how)
for (const [i, told] of all.entries()) {
  const [what = '', where = '', port = ''] = told.split(' ')
  // Not all as one domain: this is not about its bounds.
  const last = await run(`${i >> 5}.example`, what, where, port)
  process.stdout.write(`${JSON.stringify({ told, last })}\n`)
}
process.stdout.write(`${JSON.stringify({ counters: outgoing.counters })}\n`)

async function askDirectly(domain: string, what: string, where: string, port: string): Promise<string> {
  const session = outgoing.session({ domain, name: 'x' })
  const guest = new GuestClient(session)
  try {
    if (what === 'tcp') return await guest.tryConnect(where, Number(port))
    return what === 'http' ? await guest.tryFetch(where) : await guest.resolve(where)
  } finally {
    session.close()
  }
}

async function runComponents(folder: string): Promise<typeof askDirectly> {
  const ports = { runtime: systemRuntime, log: silentLog }
  const pool = owned.use(new GuestPool({ maxProcesses: 4, spares: 0, maxMemoryBytes: 128 * MIB }, ports))
  const [fetch, dial] = await Promise.all([prepare(folder, 'fetch'), prepare(folder, 'dial')])
  const blobs = new MemoryBlobs()
  const manifest = buildManifest(blobs, {})
  return async (domain, what, where, port) => {
    const network = outgoing.session({ domain, name: 'x' })
    const { spec, read } = what === 'http' ? fetch : dial
    const services = createSiteServices({ manifest, blobs, network, ...ports })
    try {
      const input = describe(what, where, port)
      const outcome = await pool.run(spec, read, { input, siteTimeMs: 0, services, timeoutMs: spec.timeoutMs })
      if (outcome.kind !== 'answered') return JSON.stringify(outcome)
      const { status, headers, body } = outcome.response
      const text = Buffer.from(body ?? []).toString()
      const [, seen = ''] = headers.find(([name]) => name === 'x-status') ?? []
      // What WASI takes for no authority it refuses without a code.
      if (status === 502 && text.startsWith('undefined')) return 'http-request-uri-invalid'
      if (status === 502) return text.replace(/^.* did not answer: /, '').toLowerCase()
      return what === 'http' ? `${seen} ${text}` : text.replace(/^HTTP.*/, 'open')
    } finally {
      services.close()
    }
  }
}

function describe(what: string, where: string, port: string): GuestInput {
  const path = `/${what}/${encodeURIComponent(where)}/${port}`
  const request = { method: 'get', path, query: encodeURIComponent(where), headers: [], body: undefined } as const
  return { world: 'http', context: { name: 'here', latitude: 0, longitude: 0 }, request }
}

/** As a node makes a component ready. */
async function prepare(folder: string, name: string) {
  const bytes = readFileSync(join(folder, `${name}.wasm`))
  const component = hashBlob(bytes)
  const limits = {
    maxComponentBytes: 32 * MIB,
    maxOutputBytes: 96 * MIB,
    timeoutMs: 120_000,
    maxMemoryBytes: 1024 * MIB,
  }
  await using builder = new ComponentBuilder({ limits, processes: 1 }, { runtime: systemRuntime, log: silentLog })
  const built = await builder.build({ component, sizeBytes: bytes.length, read: async () => bytes })
  if (built.kind !== 'ready') throw new Error(JSON.stringify(built))
  const spec: GuestSpec = {
    key: name,
    domain: 'a.example' as Hostname,
    name: `${name}.wasm`,
    prepared: { component, world: 'http', folder: '', modules: [] },
    env: {},
    timeoutMs: 60_000,
    maxMemoryBytes: 64 * MIB,
  }
  return { spec, read: async () => built.files }
}
