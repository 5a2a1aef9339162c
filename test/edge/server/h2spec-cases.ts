import { HELD } from './support/https-site.ts'
import {
  continuation,
  data,
  encodeFields,
  encodeInteger,
  type Field,
  FLAG,
  frame,
  headers,
  PREFACE,
  priority,
  request,
  reset,
  settings,
  TYPE,
  uint32,
  windowUpdate,
} from './support/raw-http2.ts'

/** What the server must do; of several errors, any. A closed connection is as good as a GOAWAY (RFC 9113 section 5.4.1). */
export type Outcome =
  /** It goes on: it answers a ping, and no stream was reset. */
  | 'goes-on'
  /** It does, or it says goodbye in order. */
  | 'goes-on-or-ends'
  /** It answers stream 1. */
  | 'answers'
  | 'acknowledges'
  | { readonly connection: readonly string[] }
  /** RST_STREAM of a stream, or an error of the connection: an endpoint may take the one for the other (section 5.4.2). */
  | { readonly stream: readonly string[] }
  /** DATA frames of stream 1 have these lengths. */
  | { readonly lengths: readonly number[] }

export interface SpecCase {
  /** Section of RFC 9113, or of RFC 7541 for HPACK. */
  readonly section: string
  readonly name: string
  /** Sent one after the other; between two of them the server has seen the one before. */
  readonly send: readonly Buffer[]
  readonly outcome: Outcome
  /** What node:http2 does, where that is not what the RFC asks for, and why; it is pinned all the same. */
  readonly byNode?: Outcome
  readonly deviates?: string
  /** Nothing is sent before it, no preface. */
  readonly silent?: boolean
}

const more: Field[] = [['x-dummy', 'd'.repeat(64)]]
/** A request that stays unanswered, so that its stream is open for what follows. */
const open = (stream = 1, extra: Field[] = []) => headers(stream, [...request(HELD), ...extra], { end: false })
const asked = (stream = 1) => headers(stream, request(HELD))
const half = (stream = 1, end = true) => headers(stream, request(), { end, endHeaders: false })
const GET = request()
const bytes = (...parts: (number[] | string)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))))
const encoded = (...tail: number[]) => headers(1, Buffer.concat([encodeFields(GET), Buffer.from(tail)]))
const led = (...head: number[]) => headers(1, Buffer.concat([Buffer.from(head), encodeFields(GET)]))

/** `x-test`, its name as Huffman code. */
const HUFFMAN_NAME = [0x00, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff]

const PROTOCOL = { connection: ['PROTOCOL_ERROR'] } as const
const FRAME_SIZE = { connection: ['FRAME_SIZE_ERROR'] } as const
const FLOW = { connection: ['FLOW_CONTROL_ERROR'] } as const
const COMPRESSION = { connection: ['COMPRESSION_ERROR'] } as const
const CLOSED = { stream: ['STREAM_CLOSED'] } as const
const MALFORMED = { stream: ['PROTOCOL_ERROR'] } as const

const UNASKED = 'node takes a PING with ACK that it did not ask for as a mistake; no client sends one'
const FORGOTTEN =
  'node keeps no closed streams, so frames of one are passed over: an endpoint may have sent them before it knew'
const NO_PRIORITIES =
  'nghttp2 passes over PRIORITY, which RFC 9113 section 5.3.2 deprecates; it counts for the flood budget'
const DROPPED = 'nghttp2 drops the field and goes on: nobody sees it, so nothing can be smuggled in it'

/** Without the mistakes. */
const GOOD: SpecCase[] = [
  {
    section: '3.4',
    name: 'the preface',
    send: [PREFACE, settings([4, 65_535])],
    outcome: 'acknowledges',
    silent: true,
  },
  { section: '4.1', name: 'an unknown type of frame', send: [frame(0x16, 0, 0, 'unknown.')], outcome: 'goes-on' },
  { section: '4.1', name: 'undefined flags', send: [frame(TYPE.ping, 0x16, 0, 'flagged.')], outcome: 'goes-on' },
  { section: '4.1', name: 'the reserved bit', send: [frame(TYPE.ping, 0, 0x80000000, 'reserved')], outcome: 'goes-on' },
  {
    section: '4.2',
    name: 'DATA of 2^14 octets',
    send: [headers(1, GET, { end: false }), data(1, 'd'.repeat(16_384))],
    outcome: 'answers',
  },
  { section: '5.1', name: 'PRIORITY on an idle stream', send: [priority(1)], outcome: 'goes-on' },
  { section: '5.1', name: 'PRIORITY of a closed stream', send: [headers(1), priority(1)], outcome: 'goes-on' },
  { section: '5.1', name: 'PRIORITY of a half-closed stream', send: [asked(), priority(1)], outcome: 'goes-on' },
  {
    section: '5.1',
    name: 'WINDOW_UPDATE of a half-closed stream',
    send: [settings([4, 0]), headers(1), windowUpdate(1, 1)],
    outcome: { lengths: [1] },
  },
  { section: '5.1', name: 'RST_STREAM of a half-closed stream', send: [asked(), reset(1)], outcome: 'goes-on' },
  {
    section: '5.5',
    name: 'an unknown frame on a stream',
    send: [asked(), frame(0x16, 0, 1, 'unknown.')],
    outcome: 'goes-on',
  },
  {
    section: '6.1',
    name: 'several DATA frames',
    send: [headers(1, GET, { end: false }), data(1, 'a', false), data(1, 'b')],
    outcome: 'answers',
  },
  {
    section: '6.1',
    name: 'padded DATA',
    send: [
      headers(1, GET, { end: false }),
      frame(TYPE.data, FLAG.padded | FLAG.endStream, 1, bytes([5], 'test', [0, 0, 0, 0, 0])),
    ],
    outcome: 'answers',
  },
  { section: '6.2', name: 'HEADERS', send: [headers(1)], outcome: 'answers' },
  {
    section: '6.2',
    name: 'padded HEADERS',
    send: [headers(1, Buffer.concat([bytes([3]), encodeFields(GET), bytes([0, 0, 0])]), { flags: FLAG.padded })],
    outcome: 'answers',
  },
  {
    section: '6.2',
    name: 'HEADERS with priority',
    send: [headers(1, Buffer.concat([uint32(0), bytes([255]), encodeFields(GET)]), { flags: FLAG.priority })],
    outcome: 'answers',
  },
  ...[0, 255].map(
    (weight): SpecCase => ({
      section: '6.3',
      name: `PRIORITY of weight ${weight + 1}`,
      send: [priority(1, 0, weight), headers(1)],
      outcome: 'answers',
    }),
  ),
  { section: '6.3', name: 'PRIORITY on another stream', send: [priority(3, 1), headers(1)], outcome: 'answers' },
  { section: '6.3', name: 'exclusive PRIORITY', send: [priority(3, 0x80000001), headers(1)], outcome: 'answers' },
  { section: '6.4', name: 'RST_STREAM', send: [open(), reset(1)], outcome: 'goes-on' },
  {
    section: '6.5',
    name: 'SETTINGS',
    send: [settings([1, 4096], [2, 0], [3, 100], [4, 65_535], [5, 16_384], [6, 100])],
    outcome: 'acknowledges',
  },
  { section: '6.5.2', name: 'an unknown setting', send: [settings([0xff, 1])], outcome: 'goes-on' },
  {
    section: '6.5.3',
    name: 'one setting twice: the last counts',
    send: [settings([4, 100], [4, 1]), headers(1)],
    outcome: { lengths: [1] },
  },
  {
    section: '6.7',
    name: 'PING with ACK',
    send: [frame(TYPE.ping, FLAG.ack, 0, 'invalid.')],
    outcome: 'goes-on',
    byNode: PROTOCOL,
    deviates: UNASKED,
  },
  {
    section: '6.8',
    name: 'GOAWAY',
    send: [asked(), frame(TYPE.goaway, 0, 0, bytes([0, 0, 0, 0, 0, 0, 0, 0], 'bye'))],
    outcome: 'goes-on-or-ends',
  },
  { section: '6.9', name: 'WINDOW_UPDATE of the connection', send: [windowUpdate(0, 1)], outcome: 'goes-on' },
  { section: '6.9', name: 'WINDOW_UPDATE of a stream', send: [open(), windowUpdate(1, 1)], outcome: 'goes-on' },
  { section: '6.9.1', name: 'a window of 1', send: [settings([4, 1]), headers(1)], outcome: { lengths: [1] } },
  {
    section: '6.9.2',
    name: 'a window opened by SETTINGS',
    send: [settings([4, 0]), headers(1), settings([4, 1])],
    outcome: { lengths: [1] },
  },
  {
    section: '6.9.2',
    name: 'a window below zero',
    send: [settings([4, 3]), headers(1), settings([4, 2]), windowUpdate(1, 2)],
    outcome: { lengths: [3, 1] },
  },
  {
    section: '6.10',
    name: 'CONTINUATION',
    send: [half(), continuation(1, more, false), continuation(1, more)],
    outcome: 'answers',
  },
  {
    section: '7',
    name: 'GOAWAY of an unknown code',
    send: [asked(), frame(TYPE.goaway, 0, 0, bytes([0, 0, 0, 0, 0, 0, 0, 0xff]))],
    outcome: 'goes-on-or-ends',
  },
  { section: '7', name: 'RST_STREAM of an unknown code', send: [open(), reset(1, 0xff)], outcome: 'goes-on' },
  ...['GET', 'HEAD', 'OPTIONS', 'POST'].map(
    (method): SpecCase => ({
      section: '8.1',
      name: method,
      send: [headers(1, request('/', method))],
      outcome: 'answers',
    }),
  ),
  {
    section: '8.1',
    name: 'trailers',
    send: [
      headers(1, [...request('/', 'POST'), ['trailer', 'x-test']], { end: false }),
      data(1, 'test', false),
      headers(1, [['x-test', 'ok']]),
    ],
    outcome: 'answers',
  },
  {
    section: '8.5',
    name: 'CONNECT',
    send: [
      headers(
        1,
        [
          [':method', 'CONNECT'],
          [':authority', 'example.com:443'],
        ],
        { end: false },
      ),
    ],
    outcome: 'answers',
  },
  {
    section: '8.8',
    name: 'Expect: 100-continue',
    send: [headers(1, [...request('/', 'POST'), ['expect', '100-continue']], { end: false })],
    outcome: 'answers',
  },
  {
    section: 'hpack 4.2',
    name: 'updates of the size of the table',
    send: [led(0x20, 0x3f, 0xe1, 0x1f)],
    outcome: 'answers',
  },
  {
    section: 'hpack 6.1',
    name: 'indexed fields',
    send: [headers(1, bytes([0x82, 0x87, 0x84, 0x41], [11], 'example.com'))],
    outcome: 'answers',
  },
  { section: 'hpack 6.2.1', name: 'incremental indexing', send: [encoded(0x40, 1, 0x61, 1, 0x62)], outcome: 'answers' },
  {
    section: 'hpack 6.2.1',
    name: 'incremental indexing, Huffman',
    send: [encoded(...HUFFMAN_NAME, 0x83, 0x49, 0x50, 0x9f)],
    outcome: 'answers',
  },
  {
    section: 'hpack 6.2.2',
    name: 'without indexing, by index',
    send: [encoded(0x0f, 0x2b, 1, 0x61)],
    outcome: 'answers',
  },
  { section: 'hpack 6.2.3', name: 'never indexed', send: [encoded(0x10, 1, 0x61, 1, 0x62)], outcome: 'answers' },
  { section: 'hpack 6.2.3', name: 'never indexed, by index', send: [encoded(0x1f, 0x2b, 1, 0x61)], outcome: 'answers' },
]

/** With them. */
const BAD: SpecCase[] = [
  {
    section: '3.4',
    name: 'another preface',
    send: [bytes('INVALID CONNECTION PREFACE\r\n\r\n')],
    outcome: PROTOCOL,
    silent: true,
  },
  {
    section: '4.2',
    name: 'DATA longer than SETTINGS_MAX_FRAME_SIZE',
    send: [open(), data(1, 'd'.repeat(16_385))],
    outcome: FRAME_SIZE,
  },
  {
    section: '4.2',
    name: 'HEADERS longer than SETTINGS_MAX_FRAME_SIZE',
    send: [headers(1, [...GET, ['x', 'd'.repeat(17_000)]])],
    outcome: FRAME_SIZE,
  },
  { section: '4.3', name: 'a broken block', send: [frame(TYPE.headers, 5, 1, bytes([0x40]))], outcome: COMPRESSION },
  {
    section: '4.3',
    name: 'PRIORITY within a block',
    send: [half(1, false), priority(1), continuation(1, more)],
    outcome: PROTOCOL,
  },
  {
    section: '4.3',
    name: 'HEADERS of another stream within a block',
    send: [half(1, false), headers(3), continuation(1, more)],
    outcome: PROTOCOL,
  },
  {
    section: '5.1',
    name: 'idle: DATA',
    send: [data(1, 'test')],
    outcome: { connection: ['PROTOCOL_ERROR', 'STREAM_CLOSED'] },
  },
  { section: '5.1', name: 'idle: RST_STREAM', send: [reset(1)], outcome: PROTOCOL },
  { section: '5.1', name: 'idle: WINDOW_UPDATE', send: [windowUpdate(1, 100)], outcome: PROTOCOL },
  { section: '5.1', name: 'idle: CONTINUATION', send: [continuation(1, GET)], outcome: PROTOCOL },
  { section: '5.1', name: 'half closed (remote): DATA', send: [asked(), data(1, 'test')], outcome: CLOSED },
  { section: '5.1', name: 'half closed (remote): HEADERS', send: [asked(), asked()], outcome: CLOSED },
  {
    section: '5.1',
    name: 'half closed (remote): CONTINUATION',
    send: [asked(), continuation(1, GET)],
    outcome: { stream: ['STREAM_CLOSED', 'PROTOCOL_ERROR'] },
  },
  {
    section: '5.1',
    name: 'closed by RST_STREAM: DATA',
    send: [open(), reset(1), data(1, 'test')],
    outcome: CLOSED,
    byNode: 'goes-on',
    deviates: FORGOTTEN,
  },
  {
    section: '5.1',
    name: 'closed by RST_STREAM: HEADERS',
    send: [open(), reset(1), asked()],
    outcome: CLOSED,
    byNode: 'goes-on',
    deviates: FORGOTTEN,
  },
  {
    section: '5.1',
    name: 'closed by RST_STREAM: CONTINUATION',
    send: [open(), reset(1), continuation(1, more)],
    outcome: { stream: ['STREAM_CLOSED', 'PROTOCOL_ERROR'] },
  },
  {
    section: '5.1',
    name: 'closed: DATA',
    send: [headers(1), data(1, 'test')],
    outcome: { connection: ['STREAM_CLOSED'] },
    byNode: 'goes-on',
    deviates: FORGOTTEN,
  },
  {
    section: '5.1',
    name: 'closed: HEADERS',
    send: [headers(1), headers(1)],
    outcome: { connection: ['STREAM_CLOSED'] },
    byNode: 'goes-on',
    deviates: FORGOTTEN,
  },
  {
    section: '5.1',
    name: 'closed: CONTINUATION',
    send: [headers(1), continuation(1, more)],
    outcome: { connection: ['STREAM_CLOSED', 'PROTOCOL_ERROR'] },
  },
  { section: '5.1.1', name: 'an even stream', send: [headers(2)], outcome: PROTOCOL },
  {
    section: '5.1.1',
    name: 'a stream below the last',
    send: [headers(5), headers(3)],
    outcome: PROTOCOL,
    byNode: 'goes-on',
    deviates: FORGOTTEN,
  },
  {
    section: '5.1.2',
    name: 'more streams than are allowed',
    send: [Buffer.concat(Array.from({ length: 200 }, (_, i) => asked(2 * i + 1)))],
    outcome: { stream: ['PROTOCOL_ERROR', 'REFUSED_STREAM'] },
  },
  {
    section: '5.3.1',
    name: 'HEADERS that depend on themselves',
    send: [headers(1, Buffer.concat([uint32(1), bytes([255]), encodeFields(GET)]), { flags: FLAG.priority })],
    outcome: MALFORMED,
  },
  {
    section: '5.3.1',
    name: 'PRIORITY that depends on itself',
    send: [asked(), priority(1, 1)],
    outcome: MALFORMED,
    byNode: 'goes-on',
    deviates: NO_PRIORITIES,
  },
  { section: '5.4.1', name: 'a broken PING', send: [frame(TYPE.ping, 0, 3, '........')], outcome: PROTOCOL },
  {
    section: '5.5',
    name: 'an unknown frame within a block',
    send: [half(), frame(0x16, 0, 0, 'unknown.')],
    outcome: PROTOCOL,
  },
  { section: '6.1', name: 'DATA of the connection', send: [data(0, 'test')], outcome: PROTOCOL },
  {
    section: '6.1',
    name: 'DATA with too much padding',
    send: [open(), frame(TYPE.data, FLAG.padded | FLAG.endStream, 1, bytes([6], 'Test'))],
    outcome: PROTOCOL,
  },
  { section: '6.2', name: 'HEADERS of the connection', send: [headers(0)], outcome: PROTOCOL },
  {
    section: '6.2',
    name: 'HEADERS with too much padding',
    send: [headers(1, Buffer.concat([bytes([255]), encodeFields(GET)]), { flags: FLAG.padded })],
    outcome: PROTOCOL,
  },
  {
    section: '6.3',
    name: 'PRIORITY of the connection',
    send: [priority(0)],
    outcome: PROTOCOL,
    byNode: 'goes-on',
    deviates: NO_PRIORITIES,
  },
  {
    section: '6.3',
    name: 'PRIORITY of 4 octets',
    send: [asked(), frame(TYPE.priority, 0, 1, uint32(0))],
    outcome: { stream: ['FRAME_SIZE_ERROR'] },
  },
  { section: '6.4', name: 'RST_STREAM of the connection', send: [reset(0)], outcome: PROTOCOL },
  {
    section: '6.4',
    name: 'RST_STREAM of 3 octets',
    send: [asked(), frame(TYPE.reset, 0, 1, bytes([0, 0, 0]))],
    outcome: FRAME_SIZE,
  },
  {
    section: '6.5',
    name: 'SETTINGS with ACK and payload',
    send: [frame(TYPE.settings, FLAG.ack, 0, bytes([0]))],
    outcome: FRAME_SIZE,
  },
  {
    section: '6.5',
    name: 'SETTINGS of a stream',
    send: [frame(TYPE.settings, 0, 1, bytes([0, 3, 0, 0, 0, 100]))],
    outcome: PROTOCOL,
  },
  {
    section: '6.5',
    name: 'SETTINGS of 3 octets',
    send: [frame(TYPE.settings, 0, 0, bytes([0, 3, 0]))],
    outcome: { connection: ['PROTOCOL_ERROR', 'FRAME_SIZE_ERROR'] },
  },
  { section: '6.5.2', name: 'ENABLE_PUSH of 2', send: [settings([2, 2])], outcome: PROTOCOL },
  { section: '6.5.2', name: 'INITIAL_WINDOW_SIZE of 2^31', send: [settings([4, 2 ** 31])], outcome: FLOW },
  { section: '6.5.2', name: 'MAX_FRAME_SIZE of 2^14 - 1', send: [settings([5, 16_383])], outcome: PROTOCOL },
  { section: '6.5.2', name: 'MAX_FRAME_SIZE of 2^24', send: [settings([5, 2 ** 24])], outcome: PROTOCOL },
  { section: '6.7', name: 'PING of a stream', send: [frame(TYPE.ping, 0, 1, '........')], outcome: PROTOCOL },
  { section: '6.7', name: 'PING of 6 octets', send: [frame(TYPE.ping, 0, 0, '......')], outcome: FRAME_SIZE },
  { section: '6.8', name: 'GOAWAY of a stream', send: [frame(TYPE.goaway, 0, 1, '........')], outcome: PROTOCOL },
  { section: '6.9', name: 'WINDOW_UPDATE by 0', send: [windowUpdate(0, 0)], outcome: PROTOCOL },
  { section: '6.9', name: 'WINDOW_UPDATE of a stream by 0', send: [open(), windowUpdate(1, 0)], outcome: MALFORMED },
  {
    section: '6.9',
    name: 'WINDOW_UPDATE of 3 octets',
    send: [frame(TYPE.window, 0, 0, bytes([0, 0, 1]))],
    outcome: FRAME_SIZE,
  },
  {
    section: '6.9.1',
    name: 'a window above 2^31 - 1',
    send: [windowUpdate(0, 2 ** 31 - 1), windowUpdate(0, 2 ** 31 - 1)],
    outcome: FLOW,
  },
  {
    section: '6.9.1',
    name: "a stream's window above 2^31 - 1",
    send: [open(), windowUpdate(1, 2 ** 31 - 1), windowUpdate(1, 2 ** 31 - 1)],
    outcome: { stream: ['FLOW_CONTROL_ERROR'] },
  },
  {
    section: '6.10',
    name: 'DATA within a block',
    send: [half(1, false), continuation(1, more, false), data(1, 'test')],
    outcome: PROTOCOL,
  },
  { section: '6.10', name: 'CONTINUATION of the connection', send: [half(), continuation(0, more)], outcome: PROTOCOL },
  {
    section: '6.10',
    name: 'CONTINUATION after END_HEADERS',
    send: [asked(), continuation(1, more)],
    outcome: PROTOCOL,
  },
  {
    section: '6.10',
    name: 'CONTINUATION after the last CONTINUATION',
    send: [half(), continuation(1, more), continuation(1, more)],
    outcome: PROTOCOL,
  },
  {
    section: '6.10',
    name: 'CONTINUATION after DATA',
    send: [open(), data(1, 'test', false), continuation(1, more)],
    outcome: PROTOCOL,
  },
  {
    section: '8.1',
    name: 'trailers without END_STREAM',
    send: [open(), data(1, 'test', false), headers(1, [['x-test', 'ok']], { end: false })],
    outcome: MALFORMED,
  },
  {
    section: '8.1.1',
    name: 'content-length that is not that of DATA',
    send: [open(1, [['content-length', '1']]), data(1, 'test')],
    outcome: MALFORMED,
  },
  {
    section: '8.1.1',
    name: 'content-length that is not that of several DATA',
    send: [open(1, [['content-length', '1']]), data(1, 'test', false), data(1, 'test')],
    outcome: MALFORMED,
  },
  { section: '8.2', name: 'a name in upper case', send: [headers(1, [...GET, ['X-TEST', 'ok']])], outcome: MALFORMED },
  ...['a b', 'a:b', 'a\x00', 'a\r', '', '\xff'].map(
    (name): SpecCase => ({
      section: '8.2.1',
      name: `the name ${JSON.stringify(name)}`,
      send: [headers(1, [...GET, [name, 'ok']])],
      outcome: MALFORMED,
      byNode: 'answers',
      deviates: DROPPED,
    }),
  ),
  ...['a\x00b', 'a\rb', 'a\nb'].map(
    (value): SpecCase => ({
      section: '8.2.1',
      name: `the value ${JSON.stringify(value)}`,
      send: [headers(1, [...GET, ['x', value]])],
      outcome: MALFORMED,
      byNode: 'answers',
      deviates: DROPPED,
    }),
  ),
  ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'].map(
    (name): SpecCase => ({
      section: '8.2.2',
      name,
      send: [headers(1, [...GET, [name, 'keep-alive']])],
      outcome: MALFORMED,
    }),
  ),
  {
    section: '8.2.2',
    name: 'te: trailers, deflate',
    send: [headers(1, [...GET, ['te', 'trailers, deflate']])],
    outcome: MALFORMED,
  },
  {
    section: '8.3',
    name: 'an unknown pseudo-header field',
    send: [headers(1, [...GET, [':test', 'ok']])],
    outcome: MALFORMED,
  },
  { section: '8.3', name: 'one of responses', send: [headers(1, [...GET, [':status', '200']])], outcome: MALFORMED },
  {
    section: '8.3',
    name: 'one in trailers',
    send: [open(), data(1, 'test', false), headers(1, [[':method', 'POST']])],
    outcome: MALFORMED,
  },
  { section: '8.3', name: 'one behind a field', send: [headers(1, [['x-test', 'ok'], ...GET])], outcome: MALFORMED },
  { section: '8.3.1', name: 'an empty path', send: [headers(1, request(''))], outcome: MALFORMED },
  ...[':method', ':scheme', ':path'].flatMap((name): SpecCase[] => [
    {
      section: '8.3.1',
      name: `no ${name}`,
      send: [
        headers(
          1,
          GET.filter(([other]) => other !== name),
        ),
      ],
      outcome: MALFORMED,
    },
    {
      section: '8.3.1',
      name: `${name} twice`,
      send: [headers(1, [...GET.filter(([other]) => other === name), ...GET])],
      outcome: MALFORMED,
    },
  ]),
  {
    section: '8.4',
    name: 'PUSH_PROMISE',
    send: [open(), frame(TYPE.push, FLAG.endHeaders, 1, Buffer.concat([uint32(2), encodeFields(GET)]))],
    outcome: PROTOCOL,
  },
  { section: 'hpack 2.3.3', name: 'an index beyond the tables', send: [encoded(0xc6)], outcome: COMPRESSION },
  {
    section: 'hpack 2.3.3',
    name: 'a literal of an index beyond the tables',
    send: [encoded(0x7f, 0x07, 0x00)],
    outcome: COMPRESSION,
  },
  {
    section: 'hpack 4.2',
    name: 'an update of the size of the table behind fields',
    send: [encoded(0x21)],
    outcome: COMPRESSION,
  },
  {
    section: 'hpack 5.2',
    name: 'Huffman padding of more than 7 bits',
    send: [encoded(...HUFFMAN_NAME, 0x84, 0x49, 0x50, 0x9f, 0xff)],
    outcome: COMPRESSION,
  },
  {
    section: 'hpack 5.2',
    name: 'Huffman padding of zeros',
    send: [encoded(...HUFFMAN_NAME, 0x83, 0x49, 0x50, 0x90)],
    outcome: COMPRESSION,
  },
  {
    section: 'hpack 5.2',
    name: 'Huffman with EOS',
    send: [encoded(...HUFFMAN_NAME, 0x87, 0x49, 0x51, 0xff, 0xff, 0xff, 0xfa, 0x7f)],
    outcome: COMPRESSION,
  },
  { section: 'hpack 6.1', name: 'index 0', send: [encoded(0x80)], outcome: COMPRESSION },
  {
    section: 'hpack 6.3',
    name: 'a table larger than SETTINGS_HEADER_TABLE_SIZE',
    send: [led(...encodeInteger(4097, 5, 0x20))],
    outcome: COMPRESSION,
  },
]

export const SPEC_CASES: readonly SpecCase[] = [...GOOD, ...BAD]
