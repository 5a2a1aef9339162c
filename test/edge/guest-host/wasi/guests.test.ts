import t from 'tap'
import { OFFERED_FUNCTIONS } from '../../../../edge/components/offered-functions.ts'
import { buildWasi, GuestExit, GuestTrap } from '../../../../edge/guest-host/wasi/index.ts'
import { type FakeAnswer, FakeOwner } from '../../../support/fake-owner.ts'
import { buildEverything, buildFetch, loadGuest } from './guests/build.ts'

t.setTimeout(0)
const FILES = { 'a.txt': 'hello', 'sub/b': 'B' }

const camel = (name: string) => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())
const pascal = (name: string) => camel(`-${name}`)

/** Resources that nobody can have one of: their methods are there to be linked with, and never called. */
const UNMADE = new Set(['udp-socket', 'incoming-datagram-stream', 'outgoing-datagram-stream', 'incoming-request'])

t.test('what components may import is here, and nothing else', async (t) => {
  const wasi = buildWasi(new FakeOwner().ports)
  t.strictSame(Object.keys(wasi).sort(), Object.keys(OFFERED_FUNCTIONS).sort())
  for (const [path, byResource] of Object.entries(OFFERED_FUNCTIONS)) {
    const offered = wasi[path] as Record<string, unknown>
    for (const [resource, names] of Object.entries(byResource)) {
      for (const name of names.split(' ')) {
        const what = `${path} ${resource} ${name}`
        if (resource === '') t.type(offered[camel(name)], 'function', what)
        else {
          const made = offered[pascal(resource)] as { prototype: Record<string, unknown> } & Record<string, unknown>
          t.type(made, 'function', what)
          if (UNMADE.has(resource) || name === 'new' || name === '.set') continue
          const method = name.startsWith('.') ? made[camel(name.slice(1))] : made.prototype[camel(name)]
          t.type(method, 'function', what)
        }
      }
    }
  }
})

/** A server behind one address that echoes, and names that are known. */
function answerNetwork() {
  let held: Uint8Array = new Uint8Array(0)
  const ends = { local: { address: '203.0.113.1', port: 4000 }, remote: { address: '192.0.2.9', port: 7 } }
  return (
    ask: { ask: string; address?: string; mostMs?: number; for?: readonly object[] },
    body: Uint8Array,
  ): FakeAnswer | undefined => {
    switch (ask.ask) {
      case 'tcp-connect':
        return ask.address === '192.0.2.9' ? { id: 1 } : { error: 'access-denied' }
      case 'tcp-ends':
        return ends
      case 'tcp-write':
        held = body.slice()
        return { wrote: body.length }
      case 'tcp-read':
        return { ended: false, bytes: held }
      case 'resolve':
        return { addresses: ['192.0.2.1'] }
      case 'wait':
        return ask.for?.length === 0 ? undefined : { ready: [0] }
      default:
        return undefined
    }
  }
}

t.test('a guest in JavaScript that tries everything', async (t) => {
  const run = await loadGuest(await buildEverything())
  const owner = new FakeOwner(FILES, answerNetwork())
  const outcomes = (path: string) => {
    const { status, body } = run(buildWasi(owner.ports), path)
    t.equal(status, 200)
    return JSON.parse(Buffer.from(body ?? []).toString())
  }

  const { reads, writes } = outcomes('/files')
  for (const [name, outcome] of Object.entries(writes)) t.strictSame(outcome, { code: 'read-only' }, name)
  t.equal(Object.keys(writes).length, 18)
  t.strictSame(reads, {
    preopen: { value: '/' },
    flags: { value: [['read', true]] },
    a: { value: 'hello' },
    deep: { value: 'B' },
    streamed: { value: 'ello' },
    size: { value: 5 },
    list: { value: ['a.txt:regular-file', 'sub:directory'] },
    'read nothing': { code: 'no-entry' },
    'read outside': { code: 'not-permitted' },
    'read outside, by way of inside': { code: 'not-permitted' },
    'read from the root': { code: 'not-permitted' },
    'read behind a link that there is not': { code: 'no-entry' },
    'stat outside': { code: 'not-permitted' },
    'hash outside': { code: 'not-permitted' },
    'read a link': { code: 'invalid' },
    'open no name': { code: 'no-entry' },
    'open a NUL': { code: 'invalid' },
  })
  t.ok(owner.asks.every((ask) => !('path' in ask) || !/(^|\/)\.\.?(\/|$)|^\/|\0/.test(ask.path)))

  t.strictSame(outcomes('/network'), {
    connect: { value: 'ping' },
    'connect to itself': { code: 'access-denied' },
    'connect to nowhere': { code: 'invalid-argument' },
    bind: { code: 'access-denied' },
    listen: { code: 'access-denied' },
    accept: { code: 'not-supported' },
    udp: { code: 'not-supported' },
    'udp over IPv6': { code: 'not-supported' },
    resolve: { value: [192, 0, 2, 1] },
    'resolve no name': { code: 'invalid-argument' },
  })

  t.match(outcomes('/rest'), {
    environment: { value: [['GREETING', 'hello']] },
    arguments: { value: [] },
    folder: { value: 'none' },
    terminal: { value: 'none' },
    input: { code: 'closed' },
    print: { value: null },
    complain: { value: null },
    clock: { value: 0 },
    wall: { value: 1_700_000_000 },
    sleep: { value: 20_000_000 },
    random: { value: 16 },
    seed: { value: 2 },
  })
  t.strictSame(owner.printed, [
    { stream: 'stdout', text: 'printed\n' },
    { stream: 'stderr', text: 'complained\n' },
  ])

  t.throws(() => run(buildWasi(owner.ports), '/exit'), GuestExit, 'an exit ends the run')
  t.throws(() => run(buildWasi(owner.ports), '/random'), GuestTrap)
  t.throws(() => run(buildWasi(owner.ports), '/print'), GuestTrap, 'a write that nothing was granted for')
  t.equal(run(buildWasi(owner.ports), '/rest').status, 200, 'and the next run is as if nothing had been')
})

t.test('a guest that sends a request', async (t) => {
  const run = await loadGuest(await buildFetch())
  const answering = (refuses: boolean) =>
    new FakeOwner({}, (ask) => {
      switch (ask.ask) {
        case 'http-send':
          return { id: 5 }
        case 'http-head':
          return refuses ? { error: 'destination-ip-prohibited' } : { status: 418, headers: [] }
        case 'http-read':
          return { ended: true, bytes: Buffer.from('short and stout') }
        case 'wait':
          return { ready: [0] }
        default:
          return undefined
      }
    })
  const owner = answering(false)
  const { status, body } = run(buildWasi(owner.ports), '/')
  t.equal(status, 418)
  t.equal(Buffer.from(body ?? []).toString(), 'short and stout')
  t.strictSame(owner.asks, [
    {
      ask: 'http-send',
      request: { method: 'POST', scheme: 'http', authority: 'example.org', path: '/x', headers: [['x-a', 'text']] },
    },
    { ask: 'wait', for: [{ id: 5, until: 'read' }], mostMs: 60_000 },
    { ask: 'http-head', id: 5 },
    { ask: 'http-read', id: 5, length: 65_536 },
    { ask: 'close', id: 5 },
  ])
  t.equal(Buffer.from(owner.bodies[0] ?? []).toString(), 'ping')
  const refused = run(buildWasi(answering(true).ports), '/')
  t.equal(refused.status, 599)
  t.strictSame([...(refused.body ?? [])], [4], 'the fifth of the codes: destination-IP-prohibited')
})
