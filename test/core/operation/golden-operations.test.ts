import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import {
  CHANGE_KINDS,
  type Change,
  type ChangeKind,
  createOperation,
  decodeOperation,
  nextStamp,
  SCHEMA,
  schemaOf,
} from '../../../core/index.ts'
import { compileEffects } from '../../../core/state/effects.ts'
import { raiseChanges } from '../../../migrations/index.ts'
import { createTestCluster, testSigner } from '../../support/histories.ts'

/**
 * One operation of each kind of change, as it was written by the version that brought it. What is stored somewhere must
 * be read for ever as the same changes, the same effects and under the same id. `GOLDEN=write` adds kinds that are not in
 * the file yet; what is in it is never written over.
 */
const FILE = new URL('operations.golden.json', import.meta.url)
interface Golden {
  readonly id: string
  readonly schema: number
  /** Base64. */
  readonly bytes: string
  readonly changes: readonly unknown[]
  readonly effects: readonly unknown[]
}

const cluster = createTestCluster()
const key = testSigner(20).key
const id = cluster.creation.id
const hash = 'ab'.repeat(32)
const epoch = testSigner(21).key
const sealed = { epoch, box: 'c2VhbGVk' }
const place = { latitude: 52.52, longitude: 13.4 }
const node = { addresses: { ipv4: '192.0.2.1', ipv6: '2001:db8::1' }, place, nameserver: true, drained: false }
const domain = 'example.com'
const wireGuardKey = Buffer.alloc(32, 7).toString('base64')
const release = { domain, manifest: hash, tree: hash, files: 2, bytes: 300, aliases: ['www.example.com'] }

const samples: Record<ChangeKind, readonly Record<string, unknown>[]> = {
  'cluster.create': [],
  'operator.add': [
    { key, name: 'ann', role: 'operator' },
    { key, name: 'ci', role: 'deployer', domains: [domain] },
  ],
  'operator.remove': [{ key, how: 'revoke' }],
  'node.join': [
    { key, name: 'berlin', ...node },
    { key, name: 'berlin', ...node, schema: 2 },
    { key, name: 'berlin', ...node, schema: 4, mesh: { publicKey: wireGuardKey, port: 51880 } },
  ],
  'node.update': [
    { key, set: { drained: true, place: null } },
    { key, set: { schema: 2 } },
    { key, set: { mesh: { publicKey: wireGuardKey, port: 51880, endpoint: 'berlin.example.com:4500' } } },
    { key, set: { mesh: { publicKey: wireGuardKey, port: 51880, endpoint: null } } },
  ],
  'node.remove': [{ key, how: 'retire' }],
  'peer.set': [
    { name: 'office', publicKey: wireGuardKey, endpoint: '[2001:db8::7]:51820', address: 'fd00:1:2:1::7' },
    { name: 'phone', publicKey: wireGuardKey, endpoint: null, address: 'fd00:1:2:1::8' },
  ],
  'peer.remove': [{ name: 'office' }],
  'domain.set': [
    { domain, spa: true, onConcurrent: 'merge', previews: false, via: 'blog' },
    { domain, spa: false, onConcurrent: 'latest', previews: true, redirect: 'https://example.org' },
  ],
  'domain.remove': [{ domain }],
  'alias.set': [{ domain, host: 'www.example.com', via: 'blog' }],
  'alias.remove': [{ domain, host: 'www.example.com' }],
  'record.set': [
    { domain, name: '@', type: 'MX', ttl: 300, values: ['10 mail.example.com.'], via: 'blog' },
    { domain, name: 'cdn', type: 'A', ttl: 60, values: [], geo: true },
  ],
  'record.remove': [{ domain, name: 'www', type: 'TYPE65280' }],
  'release.publish': [
    { ...release, commit: 'abcdef0123', via: 'blog' },
    { ...release, rollbackOf: id },
    {
      ...release,
      functions: [
        {
          path: 'api/hello.wasm',
          component: hash,
          methods: ['GET'],
          env: { KEY: sealed },
          timeoutMs: 1000,
          maxMemoryMb: 64,
        },
      ],
      transforms: [{ path: 'min.wasm', component: hash, files: '**/*.html', maxFileSizeKb: 512 }],
    },
  ],
  'release.hold': [
    { domain, hold: true },
    { domain, hold: false },
  ],
  'release.purge': [{ domain, keep: id }],
  'seal.epoch': [{ epoch }],
  'seal.grant': [{ epoch, node: key, box: 'Ym94' }],
  'certificate.set': [
    {
      name: '*.example.com',
      names: ['*.example.com', 'example.com'],
      chain: '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n',
      key: sealed,
      notBeforeMs: 1_700_000_000_000,
      notAfterMs: 1_707_776_000_000,
    },
    {
      name: '*.example.com',
      names: ['*.example.com', 'example.com'],
      chain: '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n',
      key: sealed,
      notBeforeMs: 1_700_000_000_000,
      notAfterMs: 1_707_776_000_000,
      directory: 'https://ca.example/directory',
    },
  ],
  'certificate.remove': [{ name: 'www.example.com' }],
  'certificate.account': [
    { directory: 'https://ca.example/directory', account: sealed },
    { directory: 'https://ca.example/directory', account: sealed, authorities: ['ca.example'] },
  ],
  'certificate.order': [
    {
      name: 'example.com',
      names: ['*.example.com', 'example.com'],
      directory: 'https://ca.example/directory',
      phase: 'open',
      startedMs: [1_700_000_000_000],
      failures: 0,
    },
    {
      name: 'example.com',
      names: ['example.com'],
      directory: 'https://ca.example/directory',
      phase: 'failed',
      startedMs: [1_700_000_000_000],
      failures: 2,
      retryMs: 1_700_003_600_000,
      problem: { type: 'dns', detail: 'no such name', name: 'example.com' },
    },
  ],
  'certificate.revoke': [
    {
      id,
      name: 'example.com',
      certificate: '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n',
      key: sealed,
      directory: 'https://ca.example/directory',
      reason: 1,
      phase: 'due',
    },
  ],
  'challenge.set': [
    {
      host: 'www.example.com',
      http: [{ token: 'dG9rZW4', authorization: 'dG9rZW4.dGh1bWI' }],
      dns: ['A'.repeat(43)],
      untilMs: 1_700_003_600_000,
    },
  ],
  'challenge.remove': [{ host: 'www.example.com', author: key }],
}

const stored = JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, Golden>
const seen = { ...stored }

for (const kind of CHANGE_KINDS) {
  const variants = samples[kind].map((sample) => [{ kind, ...sample } as unknown as Change])
  const operations =
    kind === 'cluster.create'
      ? [cluster.creation]
      : variants.map((changes) => {
          const stamp = nextStamp(0, [cluster.creation.stamp])
          return createOperation(cluster.operator, cluster.id, { stamp, heads: [id], changes, message: 'golden' })
        })
  for (const [i, written] of operations.entries()) {
    const name = `${kind} ${i + 1}`
    if (process.env.GOLDEN === 'write') {
      seen[name] ??= {
        id: written.id,
        schema: written.schema,
        bytes: Buffer.from(written.bytes).toString('base64'),
        changes: written.changes,
        effects: describeEffects(written),
      }
    }
    t.test(`${name} is read as it was written`, async (t) => {
      const golden = seen[name]
      if (golden === undefined) throw new Error(`no golden operation: run this test once with GOLDEN=write`)
      const bytes = new Uint8Array(Buffer.from(golden.bytes, 'base64'))
      const read = decodeOperation(bytes, kind === 'cluster.create' ? undefined : cluster.id, { raise: raiseChanges })
      t.equal(read.defect, undefined)
      t.equal(read.id, golden.id)
      t.equal(read.schema, golden.schema)
      t.same(JSON.parse(JSON.stringify(read.changes)), golden.changes)
      t.same(JSON.parse(JSON.stringify(describeEffects(read))), golden.effects)
      // Who writes it today writes the same bytes: an id is a hash of them.
      t.equal(written.id, golden.id)
      t.equal(written.schema, Math.max(...read.changes.map(schemaOf)))
    })
  }
}

t.test('what is golden stays so, and every schema has some', async (t) => {
  const names = new Set(CHANGE_KINDS.flatMap((kind) => Array.from({ length: 9 }, (_, i) => `${kind} ${i + 1}`)))
  for (const name of Object.keys(seen)) t.ok(names.has(name), name)
  t.same(
    [...new Set(Object.values(seen).map(({ schema }) => schema))].sort(),
    Array.from({ length: SCHEMA }, (_, i) => i + 1),
  )
})

t.test('what a schema cannot say is malformed in it, for every version alike', async (t) => {
  const stamp = nextStamp(0, [cluster.creation.stamp])
  const changes = [{ kind: 'seal.epoch', epoch } as unknown as Change]
  const early = createOperation(cluster.operator, cluster.id, { stamp, heads: [id], changes, schema: 1 })
  t.equal(early.defect?.kind, 'malformed-change')
})

if (process.env.GOLDEN === 'write') writeFileSync(FILE, `${JSON.stringify(seen, undefined, 1)}\n`)

function describeEffects(operation: Parameters<typeof compileEffects>[0]): unknown[] {
  const { keys, removedScopes } = compileEffects(operation)
  return [...[...keys].map(([key, { value, via }]) => [key, value ?? null, via ?? null]), ...removedScopes]
}
