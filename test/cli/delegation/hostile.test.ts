import t from 'tap'
import { askParent } from '../../../cli/delegation/ask-parent.ts'
import { askServer, parseServerAddress } from '../../../cli/delegation/ask-server.ts'
import { readSets } from '../../../cli/delegation/received-sets.ts'
import { resolve } from '../../../cli/delegation/resolve.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { encodeWireName } from '../../../dns/index.ts'
import { openTcp, openUdp } from '../health/peers.ts'

t.setTimeout(0)
const [A, NS, CNAME] = [1, 2, 5]
const QUICK_MS = 400

/** A record with its data, the name not compressed. */
function record(name: string, type: number, data: Uint8Array): Buffer {
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(type, 0)
  fixed.writeUInt16BE(1, 2)
  fixed.writeUInt32BE(60, 4)
  fixed.writeUInt16BE(data.length, 8)
  return Buffer.concat([encodeWireName(name), fixed, data])
}

/** An answer to a query, with these records and what a test spoils. */
function answerTo(query: Buffer, records: readonly Buffer[], flags = 0x8580): Buffer {
  const head = Buffer.from(query)
  head.writeUInt16BE(flags, 2)
  head.writeUInt16BE(records.length, 6)
  return Buffer.concat([head, ...records])
}

const optionsAt = (port: number, timeoutMs = QUICK_MS) => ({
  resolvers: [{ host: '127.0.0.1', port }],
  runtime: systemRuntime,
  timeoutMs,
})

t.test('answers of strangers are not looked at', async (t) => {
  const address = Buffer.from([192, 0, 2, 1])
  const spoil: Record<string, (query: Buffer) => Buffer> = {
    'another id': (query) => {
      const bytes = answerTo(query, [record('example.com', A, address)])
      bytes.writeUInt16BE(query.readUInt16BE() ^ 1, 0)
      return bytes
    },
    'another question': (query) => {
      const other = Buffer.from(query)
      other.write('x', 13, 'latin1')
      return answerTo(other, [record('example.com', A, address)])
    },
    'a query': (query) => query,
  }
  for (const [what, make] of Object.entries(spoil)) {
    const port = await openUdp(t, (query, reply) => reply(make(query)))
    t.match(await resolve('example.com', A, optionsAt(port)), { kind: 'unknown', reason: /no answer/ }, what)
  }
  const port = await openUdp(t, (query, reply) => {
    for (const make of Object.values(spoil)) reply(make(query))
    reply(answerTo(query, [record('example.com', A, address)]))
  })
  t.match(await resolve('example.com', A, optionsAt(port, 5_000)), { kind: 'found' }, 'nor in the way of the right one')
})

t.test('what is no message is said to be none; nobody is busy with it for long', async (t) => {
  const bytes: Record<string, (query: Buffer) => Buffer> = {
    'a pointer to itself': (query) =>
      answerTo(query, [Buffer.from([0xc0, query.length, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0])]),
    'data that ends behind the message': (query) =>
      answerTo(query, [record('example.com', A, Buffer.alloc(4))]).subarray(0, -1),
    'more records than there are': (query) => {
      const answer = answerTo(query, [])
      answer.writeUInt16BE(0xffff, 6)
      return answer
    },
    'a lot behind it': (query) => Buffer.concat([answerTo(query, []), Buffer.alloc(60_000)]),
  }
  for (const [what, make] of Object.entries(bytes)) {
    const port = await openUdp(t, (query, reply) => reply(make(query)))
    t.match(await resolve('example.com', A, optionsAt(port)), { kind: 'unknown', reason: /no DNS message/ }, what)
  }
})

t.test('aliases that go round, or lead nowhere, find nothing', async (t) => {
  const chains: Record<string, readonly [string, string][]> = {
    round: [
      ['example.com', 'a.example'],
      ['a.example', 'example.com'],
    ],
    self: [['example.com', 'example.com']],
    long: Array.from({ length: 40 }, (_, i) => [i === 0 ? 'example.com' : `n${i}`, `n${i + 1}`]),
  }
  for (const [what, chain] of Object.entries(chains)) {
    const records = chain.map(([from, to]) => record(from, CNAME, encodeWireName(to)))
    const last = record('n40', A, Buffer.from([192, 0, 2, 1]))
    const port = await openUdp(t, (query, reply) => reply(answerTo(query, [...records, last])))
    t.match(await resolve('example.com', A, optionsAt(port)), { kind: 'none' }, what)
  }
  const foreign = record('victim.example', A, Buffer.from([192, 0, 2, 1]))
  const port = await openUdp(t, (query, reply) => reply(answerTo(query, [foreign])))
  t.match(await resolve('example.com', A, optionsAt(port)), { kind: 'none' }, 'nor records of other names')
})

t.test('an answer that was cut is asked for over TCP, and one that never ends is left', async (t) => {
  const port = await openUdp(t, (query, reply) => reply(answerTo(query, [], 0x8780)))
  const found = await resolve('example.com', A, optionsAt(port))
  t.match(found, { kind: 'unknown', reason: /its answer is cut/ }, 'nobody answers there')
  const endless = await openTcp(t, (socket) => socket.on('data', () => socket.write(Buffer.from([0xff, 0xff, 0]))))
  const silent = await askServer({ host: '127.0.0.1', port: endless }, [{ name: 'example.com', type: A }], {
    runtime: systemRuntime,
    timeoutMs: QUICK_MS,
  })
  t.match(silent, { answers: [undefined], fault: /within 0\.4 s/ })
})

t.test('a parent at the end of an alias is none; a resolver that fails is no proof of anything', async (t) => {
  const asked: string[] = []
  const port = await openUdp(t, (query, reply) => {
    const isCom = query.includes(Buffer.from([3, 0x63, 0x6f, 0x6d, 0])) && query[12] === 3
    asked.push(isCom ? 'com' : 'root')
    const alias = [
      record('com', CNAME, encodeWireName('evil.example')),
      record('evil.example', NS, encodeWireName('x')),
    ]
    reply(answerTo(query, isCom ? alias : [], isCom ? 0x8580 : 0x8582))
  })
  t.match(await askParent('example.com', optionsAt(port)), { kind: 'unknown', reason: /SERVFAIL for the root/ })
  t.strictSame(asked, ['com', 'root'])
  t.match(await askParent('example.com', { ...optionsAt(port), resolvers: [] }), {
    kind: 'unknown',
    reason: /no resolver/,
  })
})

t.test('what a server says of names that it was not asked for is no record of the zone', async (t) => {
  const question = { name: 'www.example.com', type: A }
  const stranger = { name: 'example.net', type: A, class: 1, ttl: 1, data: Buffer.from([1, 2, 3, 4]) }
  const response = {
    rcode: 0,
    authoritative: true,
    truncated: false,
    answers: [stranger],
    authorities: [],
    additionals: [],
  }
  t.equal(readSets([question], [response]).sets.size, 0)
  const lame = { ...response, authoritative: false, answers: [{ ...stranger, name: 'www.example.com' }] }
  t.match(readSets([question], [lame]), { sets: new Map(), unanswered: [question] }, 'nor what it only remembers')
  t.same(parseServerAddress('[2001:db8::1]:5353'), { host: '2001:db8::1', port: 5353 })
  t.same(parseServerAddress('2001:db8::1'), { host: '2001:db8::1', port: 53 })
})
