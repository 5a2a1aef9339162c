import { execFileSync } from 'node:child_process'
import t from 'tap'
import { compareVersions } from '../../../cli/machine/compare-versions.ts'
import { parseJournal } from '../../../cli/machine/journal.ts'
import { countVisitors, readServedCounts } from '../../../cli/machine/served-traffic.ts'
import { parseServerFacts, readServerFacts } from '../../../cli/machine/server-facts.ts'
import type { SshHost } from '../../../cli/ssh/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { fakeServer, versionOf } from './support/fake-server.ts'

t.test('a shell on a computer without makiatto', async (t) => {
  const { ssh } = fakeServer('one', { answer: () => [] })
  const local: SshHost = {
    ...ssh,
    run: async (command) => ({
      code: 0,
      signal: undefined,
      stdout: execFileSync('/bin/sh', ['-c', command], { encoding: 'utf8' }),
      stderr: '',
    }),
  }
  const facts = await readServerFacts(local)
  t.equal(facts.processor, execFileSync('uname', ['-m'], { encoding: 'utf8' }).trim())
  t.same(facts.versions, [])
  t.equal(facts.isInstalled, false)
  await t.rejects(
    readServerFacts({ ...ssh, run: async () => ({ code: 1, signal: undefined, stdout: '', stderr: '' }) }),
    {
      code: 'MAKI_PROTOCOL',
    },
  )
})

t.test('what a server says, line by line', async (t) => {
  const [a, b] = [versionOf('a'), versionOf('b')]
  const facts = parseServerFacts(
    `greetings\nprocessor aarch64\ncurrent versions/${a}\nversion ${a}\nversion ${b}\nversion ../../etc\ninstalled /var/makiatto\nunit ActiveState=failed\nunit SubState=failed\nunit NRestarts=3\nunit ActiveEnterTimestamp=\n`,
  )
  t.strictSame(facts, {
    arch: 'arm64',
    processor: 'aarch64',
    running: a,
    versions: [a, b],
    unit: { active: 'failed', sub: 'failed', since: null, restarts: 3 },
    isInstalled: true,
  })
  t.match(parseServerFacts('processor __proto__\ncurrent /etc/passwd\n'), { arch: undefined, running: undefined })
  t.equal(parseServerFacts('This account is not available.'), undefined)
  const lines = [
    'processor x86_64',
    'current ',
    'version',
    'unit =',
    'unit ActiveState=\u001b[2J',
    'unit NRestarts=-',
    ' ',
    'x',
  ]
  for (const seed of seeds(200)) {
    const { integer, pick, bytes } = createRandom(seed)
    const text = Array.from({ length: integer(20) }, () =>
      pick([...lines, Buffer.from(bytes(9)).toString('latin1')]),
    ).join('\n')
    t.notMatch(JSON.stringify(parseServerFacts(text) ?? {}), '\\u001b', `seed ${seed}: nothing that moves a cursor`)
  }
})

t.test('the journal of a service, ours and others’ lines', async (t) => {
  t.strictSame(parseJournal('{"event":"node.ready","time":"t"}\nFatal: out of memory\n\n{"event":7}\n[1]\nnull\n'), [
    { event: 'node.ready', time: 't' },
    ...['Fatal: out of memory', '{"event":7}', '[1]', 'null'].map((text) => ({
      level: 'info',
      event: 'journal.line',
      text,
    })),
  ])
})

t.test('requests that were no probes', async (t) => {
  const text = `# HELP x\nserver_request_count_total{domain="a",method="GET"} 7\nserver_request_count_total{domain="b"} 1e1\nserver_query_count_total{transport="udp"} 3\nserver_request_count_total_x 9\nnonsense\n`
  t.strictSame(readServedCounts(text), { requests: 17, queries: 3 })
  const span = { ms: 10_000, otherNodes: 2, addresses: 1 }
  const count = (after: number) => countVisitors({ requests: 100, queries: 0 }, { requests: after, queries: 0 }, span)
  t.equal(count(108), 0, 'two rounds of two nodes, HTTP and HTTPS')
  t.equal(count(111), 3)
  t.equal(count(99), undefined, 'started anew')
})

t.test('the order of versions', async (t) => {
  const order = ['0.1.0', '0.2.0-rc.1', '0.2.0', '0.10.0', '1.0.0']
  for (const [i, a] of order.entries())
    for (const [j, b] of order.entries()) t.equal(Math.sign(compareVersions(a, b)), Math.sign(i - j), `${a} ${b}`)
  t.equal(compareVersions('next', '1.0.0'), 0)
})
