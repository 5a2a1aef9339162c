import t from 'tap'
import { buildField, type Field } from '../../../../edge/server/http2/field.ts'
import { CODE, ConnectionFault } from '../../../../edge/server/http2/frames.ts'
import { HpackDecoder } from '../../../../edge/server/http2/hpack-decode.ts'
import { encodeHead } from '../../../../edge/server/http2/hpack-encode.ts'
import { DynamicTable, STATIC_FIELDS } from '../../../../edge/server/http2/hpack-table.ts'
import { createRandom, type Random, seeds } from '../../../support/seeds.ts'

const DATE = 'Mon, 21 Oct 2013 20:13:21 GMT'

function decodeAll(decoder: HpackDecoder, bytes: Buffer): string[] {
  const fields: Field[] = []
  decoder.decode(bytes, 0, bytes.length, { add: (field) => fields.push(field) })
  return fields.map(({ name, value }) => `${name}: ${value}`)
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
const FIRST = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com']

// RFC 7541 appendix C.
t.test('the single fields of appendix C.2', async (t) => {
  for (const [bytes, line] of [
    ['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', 'custom-key: custom-header'],
    ['040c 2f73 616d 706c 652f 7061 7468', ':path: /sample/path'],
    ['1008 7061 7373 776f 7264 0673 6563 7265 74', 'password: secret'],
    ['82', ':method: GET'],
  ] as const)
    t.strictSame(decodeAll(new HpackDecoder(), hex(bytes)), [line])
})

for (const [name, blocks] of [
  [
    'C.3, plain',
    [
      '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      '8286 84be 5808 6e6f 2d63 6163 6865',
      '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    ],
  ],
  [
    'C.4, Huffman',
    [
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
      '8286 84be 5886 a8eb 1064 9cbf',
      '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
    ],
  ],
] as const)
  t.test(`the requests of appendix ${name}`, async (t) => {
    const decoder = new HpackDecoder()
    const [first, second, third] = blocks.map((block) => decodeAll(decoder, hex(block)))
    t.strictSame(first, FIRST)
    t.strictSame(second, [...FIRST, 'cache-control: no-cache'])
    t.strictSame(third, [
      ':method: GET',
      ':scheme: https',
      ':path: /index.html',
      ':authority: www.example.com',
      'custom-key: custom-value',
    ])
  })

t.test('the answer of appendix C.6.1, with its table of 256 octets', async (t) => {
  const decoder = new HpackDecoder()
  const resized = Buffer.concat([
    hex('3fe1 01'),
    hex('4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff'),
    hex('6e91 9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3'),
  ])
  const lines = [':status: 302', 'cache-control: private', `date: ${DATE}`, 'location: https://www.example.com']
  t.strictSame(decodeAll(decoder, resized), lines)
  t.strictSame(decodeAll(decoder, hex('4883 640e ffc1 c0bf')), [':status: 307', ...lines.slice(1)], 'one was evicted')
})

const WORDS = ['accept', 'x-a', 'x-long-name-of-a-field', 'cookie', 'etag', 'vary', 'x-b']

t.test('the table is what a list would be', async (t) => {
  for (const seed of seeds(60)) {
    const random = createRandom(seed)
    const table = new DynamicTable()
    let list: Field[] = []
    let most = 4096
    for (let i = 0; i < 300; i++) {
      if (random.chance(0.05)) {
        most = random.integer(4097)
        if (!table.resize(most)) t.fail('a size that is allowed')
      } else {
        const field = buildField(random.pick(WORDS), 'v'.repeat(random.integer(random.chance(0.05) ? 5000 : 80)))
        table.add(field)
        list.unshift(field)
      }
      let used = 0
      const kept = list.findIndex(({ sizeBytes }) => {
        used += sizeBytes
        return used > most
      })
      // One that is too large for the table empties it, whatever came before.
      if (kept !== -1) list = list.slice(0, kept)
      const found = Array.from({ length: list.length + 1 }, (_, age) => table.find(STATIC_FIELDS.length + age))
      if (list.some((field, age) => found[age] !== field) || found[list.length] !== undefined) {
        t.fail(`seed ${seed}, step ${i}`)
        return
      }
    }
    t.pass(`seed ${seed}`)
  }
  t.notOk(new DynamicTable().resize(4097))
})

function randomHead(random: Random): Record<string, string | string[]> {
  const head: Record<string, string | string[]> = {}
  for (let i = random.integer(12); i >= 0; i--) {
    const text = () => Buffer.from(random.bytes(random.integer(300)).map((byte) => 33 + (byte % 94))).toString('latin1')
    head[random.chance(0.5) ? random.pick(WORDS) : `x-${random.integer(1e6)}`] = random.chance(0.1)
      ? [text(), text()]
      : text()
  }
  return head
}

t.test('what we encode means the same to whoever reads it, and Date stands where it is said', async (t) => {
  for (const seed of seeds(100)) {
    const random = createRandom(seed)
    const decoder = new HpackDecoder()
    for (let i = 0; i < 5; i++) {
      const [status, head] = [random.pick([200, 206, 304, 404, 308, 503]), randomHead(random)]
      const { bytes, dateAt } = encodeHead(status, { ...head, connection: 'close' }, DATE)
      const lines = Object.entries(head).flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}`))
      t.strictSame(decodeAll(decoder, bytes), [`:status: ${status}`, ...lines, `date: ${DATE}`], `seed ${seed}`)
      t.equal(bytes.toString('latin1', dateAt, dateAt + 29), DATE)
    }
  }
  t.throws(() => encodeHead(200, { x: 'a\nb' }, DATE), TypeError)
})

t.test('whatever comes, it is decoded or a COMPRESSION_ERROR', async (t) => {
  for (const seed of seeds(300)) {
    const random = createRandom(seed)
    const decoder = new HpackDecoder()
    try {
      for (let i = 0; i < 20; i++) decodeAll(decoder, Buffer.from(random.bytes(random.integer(100))))
    } catch (error) {
      if (!(error instanceof ConnectionFault) || error.code !== CODE.compression) {
        t.fail(`seed ${seed}: ${error}`)
        return
      }
    }
  }
  t.pass('nothing else')
})
