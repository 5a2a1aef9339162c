import t, { type Test } from 'tap'
import { askOverTcp } from '../../../cli/health/ask-dns.ts'
import { compareAnswer, listExpected, nameQuestion } from '../../../cli/health/expected-answers.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { listNodes, silentLog } from '../../../core/index.ts'
import { buildZone, Steering, startDnsServer, ZoneTable } from '../../../dns/index.ts'
import { serviceOf } from '../../dns/answering.ts'
import { aliasSet, ClusterState, domainSet, host, nodeJoin, recordSet } from '../../dns/cluster-state.ts'
import { FakeRuntime } from '../../replication/fake-runtime.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { findClosedPort, openTcp } from './peers.ts'

const LIMIT = 1_000
const PATIENT_MS = 60_000
const record = (name: string, type: string, ...values: string[]) => recordSet('example.com', name, type, values)

function writeZones(): ClusterState {
  const cluster = new ClusterState()
  cluster.commit(nodeJoin(1, 'tokyo'), nodeJoin(2, 'berlin'), nodeJoin(3, 'lima', { ipv6: null }))
  cluster.commit(domainSet('example.com'), aliasSet('example.com', 'www.example.com'), domainSet('shop.example.com'))
  cluster.commit(
    record('@', 'MX', '10 mail.example.com.', '20 mail.example.net.'),
    record('mail', 'A', '198.51.100.25'),
    record('mail', 'AAAA', '2001:db8::25'),
    record('*.wild', 'TXT', '"any name"'),
    record('alias', 'CNAME', 'www.example.com.'),
    record('_dns._tcp', 'SRV', '1 2 53 mail.example.com.'),
    record('cut', 'NS', 'ns.cut.example.com.', 'ns.example.net.'),
    record('ns.cut', 'A', '198.51.100.53'),
    record('x.shop', 'TXT', '"of the zone above, so nobody sees it"'),
    record('big', 'TXT', ...Array.from({ length: 200 }, (_, i) => `"${'x'.repeat(200)}${i}"`)),
    ...Array.from({ length: 60 }, (_, i) => record(`n${i}`, 'A', `198.51.100.${i}`)),
  )
  return cluster
}

/** A real server that answers for a state; closed with the test. */
async function serve(t: Test, { state }: ClusterState): Promise<number> {
  const nodes = listNodes(state)
  const zones = ['example.com', 'shop.example.com'].flatMap((apex) => buildZone(state, host(apex), nodes)?.zone ?? [])
  const table = ZoneTable.of(zones)
  const steering = new Steering(nodes, new Map(), 1)
  const service = serviceOf(() => table, { steering })
  const server = await startDnsServer({ service, host: '127.0.0.1', port: 0, log: silentLog, runtime: systemRuntime })
  t.teardown(() => server[Symbol.asyncDispose]())
  return server.address.port
}

async function compare(port: number, { state }: ClusterState, limit = LIMIT) {
  const { expected, isCut } = listExpected(state, limit)
  const to = { host: '127.0.0.1', port, timeoutMs: PATIENT_MS, runtime: systemRuntime }
  const { answers, fault } = await askOverTcp(to, expected)
  const differ = expected.flatMap((one, i) => {
    const answer = answers[i]
    const how = answer === undefined ? 'no answer' : compareAnswer(one, answer)
    return how === undefined ? [] : [`${nameQuestion(one)}: ${how}`]
  })
  return { asked: expected.length, differ, fault, isCut, expected }
}

t.test('a server with the same state answers everything as expected', async (t) => {
  const cluster = writeZones()
  const { asked, differ, fault, isCut, expected } = await compare(await serve(t, cluster), cluster)
  t.strictSame(differ, [])
  t.equal(fault, undefined)
  t.equal(isCut, false)
  t.ok(asked > 80, `${asked} sets`)
  const questions = expected.map(nameQuestion)
  t.ok(questions.includes('cut.example.com NS'))
  t.notOk(questions.some((question) => question.startsWith('ns.cut.') || question.startsWith('x.shop.')))
  t.equal((await compare(await serve(t, cluster), cluster, 10)).isCut, true)
})

t.test('each difference is named, whatever it is', async (t) => {
  const there = writeZones()
  const port = await serve(t, there)
  const here = writeZones()
  here.commit(
    record('@', 'MX', '10 mail.example.com.'),
    record('mail', 'A', '198.51.100.99'),
    record('mail', 'AAAA', '2001:db8::25', '2001:db8::26'),
    record('new', 'TXT', '"not there yet"'),
    record('cut', 'NS', 'other.example.net.'),
    record('_dns._tcp', 'SRV', '1 2 54 mail.example.com.'),
  )
  const { differ } = await compare(port, here)
  t.strictSame(differ.map((line) => line.replace(/\d{5,}/g, 'N')).sort(), [
    '_dns._tcp.example.com SRV: 1 missing, 1 others',
    'cut.example.com NS: 1 missing, 2 others',
    'example.com MX: 1 others',
    'example.com SOA: serial N, not N',
    'mail.example.com A: 1 missing, 1 others',
    'mail.example.com AAAA: 1 missing',
    'new.example.com TXT: it answers NXDOMAIN',
  ])
})

t.test('addresses of a node that is gone, and a zone that is not there', async (t) => {
  const there = writeZones()
  const port = await serve(t, there)
  const here = new ClusterState()
  here.commit(nodeJoin(9, 'oslo'), domainSet('example.com'), domainSet('elsewhere.example'))
  const { differ } = await compare(port, here)
  t.ok(differ.includes('example.com A: it names an address that no node has'), differ.join('\n'))
  t.ok(differ.includes('elsewhere.example SOA: it answers REFUSED'))
})

t.test('what is no server: refused, silent, cut off, answers to other questions', async (t) => {
  const ask = (port: number, timeoutMs = PATIENT_MS) =>
    askOverTcp({ host: '127.0.0.1', port, timeoutMs, runtime: systemRuntime }, [
      { name: 'example.com', type: 6 },
      { name: 'example.com', type: 2 },
    ])
  t.strictSame((await ask(await findClosedPort())).fault, 'nothing listens there')
  t.match((await ask(await openTcp(t), 100)).fault, /^no answer within 0\.1 s$/)
  t.match((await ask(await openTcp(t, (socket) => socket.end()))).fault, /closed the connection/)
  const lie = await openTcp(t, (socket) => socket.write(Buffer.of(0, 4, 1, 2, 3, 4)))
  t.match((await ask(lie)).fault, /none to the question/)
  t.strictSame(await askOverTcp({ host: '127.0.0.1', port: 1, timeoutMs: 1, runtime: systemRuntime }, []), {
    answers: [],
    fault: undefined,
  })
})

t.test('a server that answers for hours is not waited for', async (t) => {
  const runtime = new FakeRuntime(1)
  // Each answer comes just before it would be late.
  const port = await openTcp(t, (socket) => {
    socket.on('data', (queries: Buffer) => {
      for (let at = 0; at < queries.length; at += 2 + queries.readUInt16BE(at)) {
        const message = Buffer.from(queries.subarray(at, at + 2 + queries.readUInt16BE(at)))
        message.writeUInt16BE(0x8400, 4)
        pending.push(() => socket.write(message))
      }
    })
  })
  const pending: (() => void)[] = []
  const startedMs = runtime.monotonic()
  const questions = Array.from({ length: 500 }, () => ({ name: 'example.com', type: 1 }))
  let isOver = false
  const asked = askOverTcp({ host: '127.0.0.1', port, timeoutMs: 5000, runtime }, questions).finally(() => {
    isOver = true
  })
  let answered = 0
  while (!isOver) {
    await new Promise((resolve) => setImmediate(resolve))
    const answer = pending.shift()
    if (answer === undefined) continue
    answer()
    answered++
    for (let left = 20; left > 0; left--) await new Promise((resolve) => setImmediate(resolve))
    runtime.advance(4900)
  }
  const { fault, answers } = await asked
  t.match(fault, /^\d+ of 500 answers within 60 s$/)
  t.ok(runtime.monotonic() - startedMs < 70_000, `after ${answered} answers`)
  t.ok(answers.some((answer) => answer !== undefined))
})

t.test('answers in any order and in any pieces', async (t) => {
  for (const seed of seeds(20)) {
    const random = createRandom(seed)
    const port = await openTcp(t, (socket) => {
      let buffer = Buffer.alloc(0)
      socket.on('data', (piece: Buffer) => {
        buffer = Buffer.concat([buffer, piece])
        const replies: Buffer[] = []
        while (buffer.length >= 2 && buffer.length >= 2 + buffer.readUInt16BE()) {
          const end = 2 + buffer.readUInt16BE()
          const reply = Buffer.from(buffer.subarray(0, end))
          reply.writeUInt16BE(0x8003, 4)
          replies.push(reply)
          buffer = buffer.subarray(end)
        }
        const bytes = Buffer.concat(random.shuffle(replies))
        const middle = random.integer(bytes.length + 1)
        socket.write(bytes.subarray(0, middle), () => setImmediate(() => socket.write(bytes.subarray(middle))))
      })
    })
    const questions = Array.from({ length: 50 }, (_, i) => ({ name: `n${i}.example.com`, type: 1 }))
    const to = { host: '127.0.0.1', port, timeoutMs: PATIENT_MS, runtime: systemRuntime }
    const { answers, fault } = await askOverTcp(to, questions)
    t.equal(fault, undefined, `seed ${seed}`)
    t.ok(answers.every((answer) => answer?.rcode === 3))
  }
})
