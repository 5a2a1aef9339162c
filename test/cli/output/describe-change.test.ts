import t from 'tap'
import { describeChange, describeOperation } from '../../../cli/output/describe-change.ts'
import type {
  BlobHash,
  CertificateName,
  Change,
  Hostname,
  NodeName,
  OperationId,
  OwnerName,
  SealEpochKey,
  WireGuardKey,
} from '../../../core/index.ts'
import { CHANGE_KINDS } from '../../../core/index.ts'
import { testKey } from '../support/test-cluster.ts'

const key = testKey(1).key
const short = key.slice(0, 10)
const operation = key as string as OperationId
const epoch = key as string as SealEpochKey
const certificate = '*.example.com' as CertificateName
const domain = 'example.com' as Hostname
const host = 'www.example.com' as Hostname
const wireGuardKey = Buffer.alloc(32, 7).toString('base64') as WireGuardKey
const peer = { kind: 'peer.set', name: 'office' as NodeName, publicKey: wireGuardKey, address: 'fd00::7' } as const
const mesh = { publicKey: wireGuardKey, port: 51880 }
const hash = 'a'.repeat(64) as BlobHash

const release = {
  kind: 'release.publish',
  domain,
  manifest: hash,
  tree: hash,
  files: 3,
  bytes: 12_000,
  aliases: [],
} as const

const order = {
  name: certificate,
  names: [certificate],
  directory: 'https://ca.example/directory',
  startedMs: [],
} as const

const cases: [Change, string][] = [
  [
    { kind: 'cluster.create', name: 'c', recovery: key, operator: { key, name: 'me' } },
    'create the cluster "c" with the operator "me"',
  ],
  [{ kind: 'operator.add', key, name: 'ann', role: 'operator' }, `add the operator "ann" (${short})`],
  [
    { kind: 'operator.add', key, name: 'ci', role: 'deployer', domains: [domain] },
    `add the deployer "ci" (${short}) for example.com`,
  ],
  [{ kind: 'operator.remove', key, how: 'retire' }, `remove the operator ${short}`],
  [{ kind: 'operator.remove', key, how: 'revoke' }, `revoke the operator ${short}`],
  [
    {
      kind: 'node.join',
      key,
      name: 'one' as NodeName,
      addresses: { ipv4: '192.0.2.1', ipv6: '2001:db8::1' },
      place: null,
      nameserver: true,
      drained: false,
    },
    `let the node one (${short}) join at 192.0.2.1 and 2001:db8::1`,
  ],
  [
    { kind: 'node.update', key, set: { drained: true, place: { latitude: 1, longitude: 2 } } },
    `change place to 1, 2, drained to yes of the node ${short}`,
  ],
  [{ kind: 'node.update', key, set: { mesh } }, `change mesh to port 51880 of the node ${short}`],
  [
    { kind: 'node.update', key, set: { mesh: { ...mesh, endpoint: 'vpn.example.com:4500' } } },
    `change mesh to vpn.example.com:4500 of the node ${short}`,
  ],
  [
    { kind: 'node.update', key, set: { mesh: { ...mesh, endpoint: null } } },
    `change mesh to no endpoint of the node ${short}`,
  ],
  [{ kind: 'node.remove', key, how: 'retire' }, `remove the node ${short}`],
  [
    { ...peer, endpoint: 'office.example.com:51820' },
    'let the nodes reach the external peer office at office.example.com:51820',
  ],
  [{ ...peer, endpoint: null }, 'let the nodes reach the external peer office wherever it comes from'],
  [{ kind: 'peer.remove', name: 'office' as NodeName }, 'remove the external peer office'],
  [
    { kind: 'domain.set', domain, spa: true, onConcurrent: 'merge', previews: false },
    'set up the domain example.com: unknown paths answer /index.html, concurrent releases are merged, no previews',
  ],
  [{ kind: 'domain.remove', domain }, 'remove the domain example.com'],
  [{ kind: 'alias.set', domain, host }, 'serve example.com as www.example.com too'],
  [{ kind: 'alias.remove', domain, host }, 'no longer serve example.com as www.example.com'],
  [
    { kind: 'record.set', domain, name: '@' as OwnerName, type: 'TXT', ttl: 60, values: ['"a\u001b[2Jb"'] },
    'set example.com TXT to "a\\x1b[2Jb" (TTL 60)',
  ],
  [
    { kind: 'record.set', domain, name: 'cdn' as OwnerName, type: 'A', ttl: 60, values: [], geo: true },
    'set cdn.example.com A to the address of the nearest healthy node (TTL 60)',
  ],
  [{ kind: 'record.remove', domain, name: 'www' as OwnerName, type: 'A' }, 'remove www.example.com A'],
  [{ ...release, commit: 'abcdef0123456789' }, 'publish example.com (3 files, 12 kB, commit abcdef012345)'],
  [{ ...release, rollbackOf: operation }, `roll example.com back to release ${short} (3 files, 12 kB)`],
  [{ kind: 'release.hold', domain, hold: true }, 'hold the releases of example.com'],
  [{ kind: 'release.hold', domain, hold: false }, 'let sync publish to example.com again'],
  [{ kind: 'release.purge', domain, keep: operation }, `purge the releases of example.com but ${short}`],
  [{ kind: 'seal.epoch', epoch }, `begin the seal epoch ${short}`],
  [
    { kind: 'seal.grant', epoch, node: key, box: 'AA' },
    `let the node ${short} open what is sealed to the epoch ${short}`,
  ],
  [
    {
      kind: 'certificate.set',
      name: certificate,
      names: [certificate],
      chain: '',
      key: { epoch, box: 'AA' },
      notBeforeMs: 0,
      notAfterMs: 86_400_000,
    },
    'set the certificate of *.example.com, valid until 1970-01-02',
  ],
  [{ kind: 'certificate.remove', name: certificate }, 'remove the certificate of *.example.com'],
  [
    { kind: 'certificate.account', directory: 'https://ca.example/directory', account: { epoch, box: 'AA' } },
    'set the account at https://ca.example/directory',
  ],
  [{ kind: 'certificate.order', ...order, phase: 'open', failures: 0 }, 'order the certificate of *.example.com'],
  [
    {
      kind: 'certificate.order',
      ...order,
      phase: 'failed',
      failures: 2,
      problem: { type: 'dns', detail: 'no such name' },
    },
    'try again later to get the certificate of *.example.com (no such name)',
  ],
  [
    {
      kind: 'certificate.revoke',
      id: operation,
      name: certificate,
      certificate: '',
      key: { epoch, box: 'AA' },
      directory: 'https://ca.example/directory',
      reason: 1,
      phase: 'due',
    },
    'revoke the certificate of *.example.com at https://ca.example/directory',
  ],
  [
    { kind: 'challenge.set', host, http: [], dns: [], untilMs: 1 },
    'show a certificate authority that www.example.com is ours',
  ],
  [
    { kind: 'challenge.remove', host, author: key },
    'show no certificate authority any more that www.example.com is ours',
  ],
]

t.test('every kind of change has its words', async (t) => {
  for (const [change, words] of cases) t.equal(describeChange(change), words)
  t.same(new Set(cases.map(([{ kind }]) => kind)), new Set(CHANGE_KINDS))
})

t.test('long lists are cut, and what cannot be read says why', async (t) => {
  const values = Array.from({ length: 20 }, (_, i) => `192.0.2.${i}`)
  const words = describeChange({ kind: 'record.set', domain, name: 'www' as OwnerName, type: 'A', ttl: 1, values })
  t.match(words, /192\.0\.2\.7 and 12 more \(TTL 1\)$/)
  t.match(describeOperation({ changes: [], defect: { kind: 'newer-schema', schema: 9 } }), [/schema 9/])
  t.match(describeOperation({ changes: [], defect: { kind: 'malformed-change', index: 2, fault: 'odd' } }), [
    /change 2 .*odd/,
  ])
})
