import t from 'tap'
import type { CertificateRow } from '../../../cli/certificates.ts'
import { type FindingsInput, listHealthFindings, type NodeCheckup } from '../../../cli/health/index.ts'
import type { AliasStatus, NodeStatus } from '../../../edge/index.ts'

const DAY_MS = 86_400_000
const NOW_MS = 1_700_000_000_000

const statusOf = (parts: Partial<NodeStatus> = {}): NodeStatus => ({
  key: 'k' as NodeStatus['key'],
  name: 'berlin',
  up: true,
  digest: '4-a-b',
  heads: [],
  lagMs: 1,
  version: '1',
  active: {},
  merged: {},
  unservable: [],
  damagedBlobs: 0,
  host: { memory: 0.5, disk: 0.5, load: 0.5 },
  health: [],
  behind: false,
  ...parts,
})

const nodeOf = (parts: Partial<NodeCheckup> = {}, status: Partial<NodeStatus> | null = {}): NodeCheckup => ({
  name: 'berlin',
  key: 'k' as NodeCheckup['key'],
  drained: false,
  nameserver: true,
  seen: [{ service: 'web', family: 'ipv4', address: '192.0.2.1', outcome: 'up', tookMs: 3 }],
  records: { address: '192.0.2.1', asked: 9, right: 9, differ: [] },
  status: status === null ? null : statusOf(status),
  ...parts,
})

const certificateOf = (lifeDays: number, daysLeft: number, parts: Partial<CertificateRow> = {}) =>
  ({
    name: 'example.com',
    notBefore: new Date(NOW_MS - (lifeDays - daysLeft) * DAY_MS).toISOString(),
    notAfter: new Date(NOW_MS + daysLeft * DAY_MS).toISOString(),
    daysLeft,
    sealed: 'ok',
    directory: null,
    ...parts,
  }) as CertificateRow

const troubleOf = (parts: Partial<NonNullable<NodeStatus['trouble']>>) => ({
  refused: 0,
  workersDied: 0,
  certificates: 0,
  ...parts,
})

const aliasOf = (parts: Partial<AliasStatus>): AliasStatus => ({
  target: 'a.example',
  ipv4: [],
  ipv6: [],
  since: null,
  failing: null,
  refused: [],
  ...parts,
})

const inputOf = (parts: Partial<FindingsInput>): FindingsInput => ({
  nodes: [nodeOf()],
  certificates: [],
  nowMs: NOW_MS,
  conflicts: [],
  aliases: [],
  placeFaults: [],
  answeredBy: 'berlin',
  isCut: false,
  isReached: true,
  brought: [],
  unheard: [],
  ...parts,
})

function find(parts: Partial<FindingsInput>): string[] {
  const findings = listHealthFindings(inputOf(parts))
  for (const { hint, message } of findings) if (hint === '' || message === '') throw new Error('nothing is said')
  return findings.map(({ level, node, message }) => `${level} ${node ?? '-'} ${message}`)
}

t.test('a cluster that is well gives no finding', async (t) => {
  t.strictSame(find({}), [])
  t.strictSame(find({ nodes: [nodeOf({}, { host: null })] }), [])
  t.strictSame(find({ nodes: [nodeOf({}, { trouble: troubleOf({}) }), nodeOf({}, { trouble: null })] }), [])
  t.strictSame(find({ certificates: [certificateOf(90, 31), certificateOf(365, 30), certificateOf(6, 2)] }), [])
})

t.test('what the nodes order by themselves is not to be imported', async (t) => {
  const hintOf = (directory: string | null) =>
    listHealthFindings(inputOf({ certificates: [certificateOf(6, 1, { directory })] }))[0]?.hint
  t.match(hintOf(null), 'maki cert import')
  t.match(hintOf('https://acme.example/'), 'maki cert show example.com')
})

t.test('each fault is named', async (t) => {
  const verdict = { family: 'ipv4', service: 'web', address: '192.0.2.1', since: '', basis: 'majority' } as const
  const cases: [Partial<FindingsInput>, RegExp][] = [
    [
      {
        nodes: [
          nodeOf({
            seen: [{ service: 'dns', family: 'ipv4', address: '192.0.2.1', outcome: 'down', reason: 'DNS: x' }],
          }),
        ],
      },
      /^wrong berlin dns at 192\.0\.2\.1, from here: DNS: x/,
    ],
    [
      {
        nodes: [
          nodeOf({ seen: [{ service: 'web', family: 'ipv6', address: '::2', outcome: 'unknown', reason: 'y' }] }),
        ],
      },
      /^note berlin web at ::2, from here: y/,
    ],
    [{ nodes: [nodeOf({}, { up: false })] }, /^wrong berlin the other nodes do not hear it any more/],
    [{ nodes: [nodeOf({}, { up: false, lagMs: null })] }, /^wrong berlin no node has heard it/],
    [{ nodes: [nodeOf({}, { behind: true })] }, /^wrong berlin it lacks what was written/],
    [{ nodes: [nodeOf({ drained: true })] }, /^note berlin it is drained/],
    [{ nodes: [nodeOf({}, { host: { memory: 0.9, disk: 0, load: 0 } })] }, /^wrong berlin 90 % of its memory/],
    [{ nodes: [nodeOf({}, { host: { memory: 0, disk: 0.95, load: 0 } })] }, /^wrong berlin 95 % of its disk/],
    [{ nodes: [nodeOf({}, { host: { memory: 0, disk: 0, load: 4 } })] }, /^note berlin its load is 4\.0/],
    [{ nodes: [nodeOf({}, { trouble: troubleOf({ refused: 3000 }) })] }, /^wrong berlin it has refused about 3000 req/],
    [{ nodes: [nodeOf({}, { trouble: troubleOf({ refused: 1 }) })] }, /^wrong berlin it has refused 1 request within/],
    [{ nodes: [nodeOf({}, { trouble: troubleOf({ workersDied: 1 }) })] }, /^note berlin 1 edge worker ended unasked/],
    [{ nodes: [nodeOf({}, { trouble: troubleOf({ workersDied: 3 }) })] }, /^wrong berlin 3 edge workers ended unasked/],
    [{ nodes: [nodeOf({}, { trouble: troubleOf({ certificates: 1 }) })] }, /^wrong berlin 1 certificate cannot be/],
    [
      { nodes: [nodeOf({}, { trouble: troubleOf({ components: ['a.test api/x.wasm: it is broken'] }) })] },
      /^wrong berlin it cannot run a\.test api\/x\.wasm: it is broken/,
    ],
    [{ nodes: [nodeOf({}, { damagedBlobs: 2 })] }, /^wrong berlin 2 damaged files/],
    [
      { nodes: [nodeOf({}, { health: [{ ...verdict, standing: 'down', reason: 'z', votes: { up: 1, down: 2 } }] })] },
      /^wrong berlin web at 192\.0\.2\.1 is down: z \(2 of 3 nodes/,
    ],
    [
      { nodes: [nodeOf({}, { health: [{ ...verdict, standing: 'held', votes: { up: 3, down: 0 } }] })] },
      /^note berlin web at 192\.0\.2\.1 answers again/,
    ],
    [
      { nodes: [nodeOf({}, { digest: '4-a-b' }), nodeOf({}, { digest: '4-c-d' })] },
      /^wrong - the nodes that are up have different/,
    ],
    [
      {
        nodes: [
          nodeOf({
            records: {
              address: '192.0.2.1',
              asked: 9,
              right: 5,
              differ: ['a', 'b', 'c', 'd'].map((question) => ({ question, how: '1 missing' })),
            },
          }),
        ],
      },
      /^wrong berlin it answers 4 of 9 sets of records otherwise: a \(1 missing\), b \(1 missing\), c \(1 missing\) and 1 more/,
    ],
    [
      { nodes: [nodeOf({ records: { address: '192.0.2.1', asked: 9, right: 3, differ: [], fault: 'cut' } })] },
      /^wrong berlin 6 of 9 sets of records were not answered over TCP at 192\.0\.2\.1: cut/,
    ],
    [{ certificates: [certificateOf(90, 29)] }, /^wrong - the certificate example\.com expires in 29 days/],
    [{ certificates: [certificateOf(6, 1)] }, /expires in 1 day$/],
    [{ certificates: [certificateOf(6, 0)] }, /expires within a day$/],
    [
      { certificates: [certificateOf(90, 99)] },
      /^wrong - the certificate example\.com is valid only from 2023-11-23 on/,
    ],
    [{ certificates: [certificateOf(90, -1)] }, /has expired/],
    [{ certificates: [certificateOf(90, 80, { sealed: 'exposed' })] }, /may be known to a machine that was removed/],
    [{ conflicts: ['domain/example.com'] }, /^wrong - concurrent edits conflict at domain\/example\.com/],
    [{ isCut: true }, /^note - there are more records/],
    [
      { aliases: [aliasOf({ failing: { since: '', reason: 'x' } })] },
      /^wrong - the ALIAS target a\.example .*: x; no address/,
    ],
    [
      { aliases: [aliasOf({ ipv4: ['192.0.2.1'], failing: { since: '', reason: 'x' } })] },
      /^note - the ALIAS target a\.example cannot be looked up: x; what it had/,
    ],
    [{ aliases: [aliasOf({ refused: ['10.0.0.1'] })] }, /^wrong - .*not public, and not answered: 10\.0\.0\.1/],
    [{ placeFaults: ['there is no such file'] }, /^wrong berlin where clients are is not known .*no such file/],
    [{ nodes: [nodeOf({}, { up: false, host: { memory: 1, disk: 1, load: 9 } })] }, /do not hear it/],
  ]
  for (const [input, expected] of cases) {
    const found = find(input)
    t.equal(found.length, 1, found.join('\n'))
    t.match(found[0], expected)
  }
})

t.test('nobody who was not asked is said to differ', async (t) => {
  t.strictSame(find({ isReached: false, nodes: [nodeOf({ records: null }, null)] }), [])
  t.strictSame(find({ nodes: [nodeOf({}, { digest: null }), nodeOf()] }), [])
})

t.test('a node that is gone is one finding, with what was seen in its details', async (t) => {
  const seenAs = (outcome: 'up' | 'down', ...services: ('dns' | 'web')[]) =>
    services.map((service) => ({ service, family: 'ipv4', address: '192.0.2.1', outcome, reason: 'shut' }) as const)
  const verdict = { family: 'ipv4', service: 'web', address: '192.0.2.1', since: '', basis: 'majority' } as const
  const down = { ...verdict, standing: 'down', reason: 'z', votes: { up: 0, down: 2 } } as const
  const dead = nodeOf({ seen: seenAs('down', 'dns', 'web'), records: null }, { up: false, health: [down] })
  const all = {
    certificates: [],
    nowMs: NOW_MS,
    conflicts: [],
    aliases: [],
    placeFaults: [],
    answeredBy: null,
    isCut: false,
    brought: [],
    unheard: [],
  }
  const [finding, ...rest] = listHealthFindings({ ...all, nodes: [dead], isReached: true })
  t.strictSame(rest, [])
  t.equal(finding?.message, 'it does not answer: DNS, HTTP, gossip with the other nodes (192.0.2.1, from here: shut)')
  t.match(finding?.details, [
    'dns at 192.0.2.1, from here: shut',
    'web at 192.0.2.1, from here: shut',
    'the other nodes do not hear it any more',
    'web at 192.0.2.1 is down: z (2 of 2 nodes that look at it say so)',
  ])
  t.equal(finding?.details?.length, 4)
  const gone = (node: NodeCheckup) => find({ nodes: [node] }).filter((text) => text.includes('it does not answer'))
  t.match(gone({ ...dead, status: null }), [/: DNS, HTTP \(/])
  t.match(gone({ ...dead, status: statusOf({ health: [down] }) }), [/: DNS, HTTP \(/])
  t.strictSame(gone({ ...dead, status: statusOf() }), [], 'only from here')
  const busy = { memory: 0.95, disk: 0.95, load: 9 }
  const told = find({ nodes: [{ ...dead, status: statusOf({ health: [down], host: busy }) }] })
  t.match(told, [/: DNS, HTTP \(/], 'how busy it was says nothing any more')
  t.equal(told.length, 1)
  t.strictSame(gone({ ...dead, seen: seenAs('up', 'dns', 'web') }), [], 'only for the others')
  t.strictSame(gone({ ...dead, seen: [...seenAs('up', 'dns'), ...seenAs('down', 'web')] }), [], 'not everything')
  t.equal(find({ nodes: [{ ...dead, status: statusOf({ up: false, damagedBlobs: 1 }) }] }).length, 2)
})
