import type { ErrorCode } from '@bytecodealliance/preview2-shim/interfaces/wasi-http-types'
import t from 'tap'
import { buildHttp } from '../../../../edge/guest-host/wasi/http.ts'
import { MAX_CONTENT_BYTES, OutgoingBody } from '../../../../edge/guest-host/wasi/http-content.ts'
import { Fields, MAX_FIELDS_BYTES } from '../../../../edge/guest-host/wasi/http-fields.ts'
import {
  type FutureIncomingResponse,
  IncomingBody,
  type IncomingResponse,
} from '../../../../edge/guest-host/wasi/http-incoming.ts'
import type { OutgoingRequest, RequestOptions } from '../../../../edge/guest-host/wasi/http-outgoing.ts'
import { GuestTrap, Instance } from '../../../../edge/guest-host/wasi/instance.ts'
import type { IoError } from '../../../../edge/guest-host/wasi/io-error.ts'
import { type Answerer, type FakeAnswer, FakeOwner } from '../../../support/fake-owner.ts'
import { createRandom, seeds } from '../../../support/seeds.ts'

interface Http {
  'wasi:http/types': {
    Fields: { new (): Fields; fromList(entries: [string, Uint8Array][]): Fields }
    OutgoingRequest: new (fields: Fields) => OutgoingRequest
    RequestOptions: new () => RequestOptions
    httpErrorCode(error: IoError): ErrorCode | undefined
  }
  'wasi:http/outgoing-handler': {
    handle(request: OutgoingRequest, options: RequestOptions | undefined): FutureIncomingResponse
  }
}

function open(answer?: Answerer) {
  const owner = new FakeOwner({}, answer)
  const instance = new Instance(owner.ports)
  const http = buildHttp(instance) as object as Http
  const { Fields: GuestFields, OutgoingRequest: GuestRequest, RequestOptions: GuestOptions } = http['wasi:http/types']
  const { handle } = http['wasi:http/outgoing-handler']
  const createRequest = (fields: Record<string, string> = {}) => {
    const entries = Object.entries(fields).map(([name, value]): [string, Uint8Array] => [name, Buffer.from(value)])
    const request = new GuestRequest(GuestFields.fromList(entries))
    request.setAuthority('example.org')
    return request
  }
  return { owner, instance, http, handle, createRequest, GuestFields, GuestOptions }
}

/** A server that gives `content` in pieces, after a head that is not there at once. */
function serve(content: Uint8Array, piece = 1000): Answerer {
  let at = 0
  let isPending = true
  return (ask): FakeAnswer | undefined => {
    switch (ask.ask) {
      case 'http-send':
        return { id: 9 }
      case 'http-head': {
        const answer = isPending ? ({ pending: true } as const) : { status: 203, headers: [['X-A', 'b\xe9'] as const] }
        isPending = false
        return answer
      }
      case 'http-read': {
        const bytes = content.slice(at, at + Math.min(ask.length, piece))
        at += bytes.length
        return { ended: at === content.length, bytes }
      }
      case 'wait':
        return { ready: ask.for.map((_, i) => i) }
      default:
        return undefined
    }
  }
}

const thrown = (act: () => unknown): unknown => {
  try {
    act()
  } catch (error) {
    return error === undefined ? 'no reason' : error
  }
  return 'nothing was thrown'
}

function responseOf(future: FutureIncomingResponse): IncomingResponse {
  const result = future.get()
  if (result?.tag !== 'ok' || result.val.tag !== 'ok') throw new Error(JSON.stringify(result))
  return result.val.val
}

const failureOf = (future: FutureIncomingResponse): unknown => {
  const result = future.get()
  return result?.tag === 'ok' && result.val.tag === 'err' ? result.val.val : result
}

t.test('a request is sent, and its response streams', async (t) => {
  const content = Buffer.from('x'.repeat(2500))
  const { owner, handle, createRequest, instance } = open(serve(content))
  const request = createRequest({ accept: '*/*' })
  request.setPathWithQuery('/a?b=c')
  request.setScheme({ tag: 'HTTP' })
  const future = handle(request, undefined)
  t.strictSame(owner.asks, [
    {
      ask: 'http-send',
      request: {
        method: 'GET',
        scheme: 'http',
        authority: 'example.org',
        path: '/a?b=c',
        headers: [['accept', '*/*']],
      },
    },
  ])
  t.equal(owner.bodies[0]?.length, 0)
  t.equal(future.get(), undefined)
  future.subscribe().block()
  const response = responseOf(future)
  t.strictSame(future.get(), { tag: 'err', val: undefined }, 'once')
  t.equal(response.status(), 203)
  const headers = response.headers()
  t.strictSame(headers.entries(), [['X-A', Uint8Array.of(0x62, 0xe9)]])
  t.strictSame(
    thrown(() => headers.append('a', Buffer.from('b'))),
    { tag: 'immutable' },
  )
  const body = response.consume()
  t.equal(
    thrown(() => response.consume()),
    'no reason',
  )
  const stream = body.stream()
  t.equal(
    thrown(() => body.stream()),
    'no reason',
  )
  const pieces: Uint8Array[] = []
  t.strictSame(
    thrown(() => {
      for (;;) pieces.push(stream.blockingRead(700n))
    }),
    { tag: 'closed' },
  )
  t.ok(Buffer.concat(pieces).equals(content))
  stream[Symbol.dispose]()
  const trailers = IncomingBody.finish(body)
  t.strictSame(trailers.get(), { tag: 'ok', val: { tag: 'ok', val: undefined } })
  t.strictSame(trailers.get(), { tag: 'err', val: undefined })
  for (const each of [trailers, response, headers]) each[Symbol.dispose]()
  t.notOk(owner.asks.some(({ ask }) => ask === 'close'))
  future[Symbol.dispose]()
  t.strictSame(owner.asks.at(-1), { ask: 'close', id: 9 })
  t.equal(instance.handles, 1, 'the pollable alone is left')
})

for (const seed of seeds(50)) {
  t.test(`content is sent when it is whole, as it was written (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const content = random.bytes(random.integer(200_000))
    const isDeclared = random.chance(0.5)
    const { owner, instance, handle, createRequest } = open(serve(new Uint8Array(0)))
    const request = createRequest(isDeclared ? { 'Content-Length': String(content.length) } : {})
    request.setMethod({ tag: 'post' })
    const body = request.body()
    const isHandledFirst = random.chance(0.5)
    const early = isHandledFirst ? handle(request, undefined) : undefined
    const output = body.write()
    for (let at = 0; at < content.length; ) {
      const piece = content.slice(at, at + Math.min(Number(output.checkWrite()), 1 + random.integer(50_000)))
      output.write(piece)
      piece.fill(0)
      at += piece.length
    }
    output[Symbol.dispose]()
    t.equal(owner.asks.length, 0)
    if (early !== undefined)
      t.throws(() => early.subscribe().block(), GuestTrap, 'what the guest itself must finish first')
    OutgoingBody.finish(body, undefined)
    const future = early ?? handle(request, undefined)
    t.equal(owner.asks[0]?.ask, 'http-send')
    t.ok(Buffer.from(owner.bodies[0] ?? []).equals(Buffer.from(content.length === 0 ? [] : contentOf(seed))))
    t.equal(future.get(), undefined)
    t.equal(responseOf(future).status(), 203)
    t.equal(instance.freeBytes, new Instance(owner.ports).freeBytes, 'what is sent is not held')
  })
}

/** As in the law: pieces of the first copy are overwritten once they were handed over. */
function contentOf(seed: number): Uint8Array {
  const random = createRandom(seed)
  return random.bytes(random.integer(200_000))
}

t.test('content that is not what it should be is not sent', async (t) => {
  const write = (declared: string | undefined, bytes: number) => {
    const opened = open(serve(new Uint8Array(0)))
    const request = opened.createRequest(declared === undefined ? {} : { 'content-length': declared })
    const body = request.body()
    const output = body.write()
    const future = opened.handle(request, undefined)
    const written = thrown(() => {
      for (let left = bytes; left > 0; ) {
        const length = Math.min(left, Number(output.checkWrite()))
        output.write(new Uint8Array(length))
        left -= length
      }
    })
    return { ...opened, body, future, written }
  }
  const short = write('10', 9)
  const tooShort = { tag: 'HTTP-request-body-size', val: 9n }
  t.strictSame(
    thrown(() => OutgoingBody.finish(short.body, undefined)),
    tooShort,
  )
  t.strictSame(failureOf(short.future), tooShort)
  const long = write('10', 11)
  t.match(long.written, { tag: 'last-operation-failed' })
  t.match(long.http['wasi:http/types'].httpErrorCode((long.written as { val: IoError }).val), {
    tag: 'HTTP-request-body-size',
  })
  t.match(
    thrown(() => OutgoingBody.finish(long.body, undefined)),
    { tag: 'HTTP-request-body-size' },
  )
  const huge = write(undefined, MAX_CONTENT_BYTES + 1)
  t.match(huge.written, { tag: 'last-operation-failed' })
  t.match(failureOf(huge.future), { tag: 'HTTP-request-body-size' })
  const dropped = write(undefined, 5)
  dropped.body[Symbol.dispose]()
  t.strictSame(failureOf(dropped.future), { tag: 'HTTP-protocol-error' })
  const trailers = write(undefined, 5)
  t.match(
    thrown(() => OutgoingBody.finish(trailers.body, new trailers.GuestFields())),
    { tag: 'internal-error' },
  )
  t.match(failureOf(trailers.future), { tag: 'HTTP-protocol-error' })
  const untouched = open()
  t.match(
    failureOf(untouched.handle(untouched.createRequest({ 'content-length': '3' }), undefined)),
    tooShort && { val: 0n },
  )
  const forgotten = write(undefined, 5)
  forgotten.future[Symbol.dispose]()
  OutgoingBody.finish(forgotten.body, undefined)
  for (const { owner } of [short, long, huge, dropped, trailers, untouched, forgotten])
    t.notOk(owner.asks.some(({ ask }) => ask === 'http-send'))
})

t.test('what fails is said by a code of wasi:http', async (t) => {
  for (const [said, code] of [
    ['access-denied', { tag: 'HTTP-request-denied' }],
    ['destination-ip-prohibited', { tag: 'destination-IP-prohibited' }],
    ['dns-error', { tag: 'DNS-error', val: {} }],
    ['http-response-body-size', { tag: 'HTTP-response-body-size', val: undefined }],
    ['a secret', { tag: 'internal-error', val: undefined }],
    ['__proto__', { tag: 'internal-error', val: undefined }],
  ] as const) {
    const early = open((ask) => (ask.ask === 'http-send' ? { error: said } : undefined))
    t.strictSame(failureOf(early.handle(early.createRequest(), undefined)), code, said)
    const late = open((ask) =>
      ask.ask === 'http-send' ? { id: 1 } : ask.ask === 'http-head' ? { error: said } : undefined,
    )
    const future = late.handle(late.createRequest(), undefined)
    t.strictSame(failureOf(future), code, said)
    future[Symbol.dispose]()
    t.equal(late.owner.asks.filter(({ ask }) => ask === 'close').length, 1)
  }
  const lying = open((ask) => (ask.ask === 'http-send' ? { done: true } : undefined))
  t.throws(() => lying.handle(lying.createRequest(), undefined), GuestTrap)
})

t.test('what a request cannot be', async (t) => {
  const { createRequest, handle, owner, GuestOptions } = open(serve(new Uint8Array(0)))
  const request = createRequest()
  const refused: Record<string, () => void> = {
    method: () => request.setMethod({ tag: 'other', val: 'GET / HTTP/1.1\r\nx: ' }),
    'no method': () => request.setMethod({ tag: 'other', val: '' }),
    path: () => request.setPathWithQuery('/a b'),
    'path with a line': () => request.setPathWithQuery('/\r\nHost: x'),
    'path of a whole address': () => request.setPathWithQuery('http://x/'),
    'long path': () => request.setPathWithQuery(`/${'a'.repeat(8192)}`),
    user: () => request.setAuthority('user:pw@example.org'),
    'path in the authority': () => request.setAuthority('example.org/x'),
    port: () => request.setAuthority('example.org:65536'),
    'port that is none': () => request.setAuthority('example.org:x'),
    'no host': () => request.setAuthority(':80'),
    brackets: () => request.setAuthority('[::1'),
    scheme: () => request.setScheme({ tag: 'other', val: 'a b' }),
  }
  for (const [name, act] of Object.entries(refused)) t.equal(thrown(act), 'no reason', name)
  for (const authority of ['example.org', 'example.org:8080', '192.0.2.1', '[2001:db8::1]', '[2001:db8::1]:443']) {
    request.setAuthority(authority)
    t.equal(request.authority(), authority)
  }
  request.setScheme({ tag: 'other', val: 'gopher' })
  t.strictSame(
    thrown(() => handle(request, undefined)),
    { tag: 'HTTP-protocol-error' },
  )
  const tunnel = createRequest()
  tunnel.setMethod({ tag: 'connect' })
  t.strictSame(
    thrown(() => handle(tunnel, undefined)),
    { tag: 'HTTP-request-method-invalid' },
  )
  const nowhere = createRequest()
  nowhere.setAuthority(undefined)
  t.strictSame(
    thrown(() => handle(nowhere, undefined)),
    { tag: 'HTTP-request-URI-invalid' },
  )
  t.equal(owner.asks.length, 0)
  const plain = createRequest()
  plain.setPathWithQuery('?q')
  plain.setMethod({ tag: 'other', val: 'purge' })
  const options = new GuestOptions()
  options.setConnectTimeout(1_500_000n)
  options.setFirstByteTimeout(2n ** 64n - 1n)
  t.equal(options.connectTimeout(), 1_500_000n)
  handle(plain, options)
  t.match(owner.asks.at(-1), { request: { method: 'PURGE', path: '/?q', scheme: 'https', timeoutMs: 3_600_000 } })
})

t.test('a response that stops coming ends as the guest wanted', async (t) => {
  const { owner, handle, createRequest, GuestOptions } = open((ask) => {
    if (ask.ask === 'http-send') return { id: 1 }
    if (ask.ask === 'http-head') return { status: 200, headers: [] }
    return ask.ask === 'http-read' ? { ended: false } : undefined
  })
  const options = new GuestOptions()
  options.setBetweenBytesTimeout(50_000_000n)
  const stream = responseOf(handle(createRequest(), options)).consume().stream()
  t.equal(stream.read(10n).length, 0)
  t.equal(stream.subscribe().ready(), false)
  owner.monotonicMs += 51
  t.equal(stream.subscribe().ready(), true)
  t.match(
    thrown(() => stream.read(10n)),
    { tag: 'last-operation-failed' },
  )
})

t.test('fields are fields', async (t) => {
  const { GuestFields, createRequest } = open()
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'))
  const fields = GuestFields.fromList([
    ['A', bytes('1')],
    ['a', bytes('2')],
    ['b', bytes('3')],
  ])
  t.ok(fields instanceof Fields)
  t.strictSame(fields.get('a'), [bytes('1'), bytes('2')])
  t.ok(fields.has('B'))
  fields.set('A', [bytes('4')])
  t.strictSame(fields.entries(), [
    ['b', bytes('3')],
    ['A', bytes('4')],
  ])
  const copy = fields.clone()
  copy.append('c', bytes('tab\tand é'))
  copy.delete('a')
  t.equal(fields.has('c'), false)
  t.strictSame(
    copy.entries().map(([name]) => name),
    ['b', 'c'],
  )
  const syntax = { tag: 'invalid-syntax' }
  for (const name of ['', 'a b', 'a:', 'a\r\nb', 'é', ':path'])
    t.strictSame(
      thrown(() => fields.append(name, bytes('x'))),
      syntax,
      JSON.stringify(name),
    )
  for (const value of ['a\r\nb: c', 'a\nb', 'a\0', '\x7f'])
    t.strictSame(
      thrown(() => fields.append('x', bytes(value))),
      syntax,
      JSON.stringify(value),
    )
  t.strictSame(
    thrown(() => GuestFields.fromList([['a\n', bytes('')]])),
    syntax,
  )
  t.strictSame(
    thrown(() => fields.set('a', [bytes('ok'), bytes('\n')])),
    syntax,
  )
  t.strictSame(fields.get('A'), [bytes('4')], 'nothing of it was done')
  for (const name of ['Host', 'connection', 'Transfer-Encoding', 'upgrade', 'keep-alive', 'Proxy-Authorization'])
    t.strictSame(
      thrown(() => fields.append(name, bytes('x'))),
      { tag: 'forbidden' },
      name,
    )
  t.strictSame(
    thrown(() => fields.append('big', new Uint8Array(MAX_FIELDS_BYTES).fill(97))),
    { tag: 'forbidden' },
  )
  const given = createRequest({ a: '1' }).headers()
  for (const act of [() => given.append('a', bytes('x')), () => given.set('a', []), () => given.delete('a')])
    t.strictSame(thrown(act), { tag: 'immutable' })
  const own = given.clone()
  own.append('b', bytes('2'))
  t.equal(own.has('b'), true, 'a clone can be changed')
})
