import t from 'tap'
import { encodeCanonical, MAX_OPERATION_BYTES } from '../../../core/index.ts'
import {
  CONTROL_LIMITS,
  decodeOperationsPage,
  encodeOperationBatch,
  encodeOperationsPage,
  parseOperationBatch,
} from '../../../edge/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

t.test('what was encoded is read, as plain arrays of their own', async (t) => {
  for (const lengths of [
    [],
    [0],
    [1, 255, 256, 65_535, 65_536],
    new Array(15).fill(1),
    new Array(16).fill(2),
    [MAX_OPERATION_BYTES],
  ]) {
    const operations = lengths.map((length: number, i: number) => new Uint8Array(length).fill(i + 1))
    const bytes = Buffer.from(encodeOperationBatch(operations))
    const parsed = parseOperationBatch(bytes)
    bytes.fill(0)
    t.ok(parsed.every((operation) => operation.constructor === Uint8Array))
    t.strictSame(parsed, operations)
    const page = { operations, cursor: 'store-ü:17', more: lengths.length > 1 }
    t.strictSame(decodeOperationsPage(encodeOperationsPage(page)), page)
  }
})

t.test('what is no batch is refused', async (t) => {
  const refused: [what: string, bytes: number[] | Uint8Array, code: string][] = [
    ['nothing', [], 'MAKI_PROTOCOL'],
    ['a map', encodeCanonical({}), 'MAKI_PROTOCOL'],
    ['text', encodeCanonical(['x']), 'MAKI_PROTOCOL'],
    ['an array in the array', encodeCanonical([[new Uint8Array(1)]]), 'MAKI_PROTOCOL'],
    ['a binary alone', encodeCanonical(new Uint8Array(3)), 'MAKI_PROTOCOL'],
    ['an extension', [0x91, 0xc7, 1, 1, 0], 'MAKI_PROTOCOL'],
    ['something behind it', [0x90, 0], 'MAKI_PROTOCOL'],
    ['a binary cut short', [0x91, 0xc4, 5, 1], 'MAKI_PROTOCOL'],
    ['a length cut short', [0x91, 0xc5, 5], 'MAKI_PROTOCOL'],
    ['fewer than said', [0x92, 0xc4, 0], 'MAKI_PROTOCOL'],
    ['four billion operations', [0xdd, 0xff, 0xff, 0xff, 0xff], 'MAKI_TOO_LARGE'],
    ['one of four gigabytes', [0x91, 0xc6, 0xff, 0xff, 0xff, 0xff], 'MAKI_TOO_LARGE'],
    [
      'too many',
      encodeOperationBatch(new Array(CONTROL_LIMITS.batchOperations + 1).fill(new Uint8Array(1))),
      'MAKI_TOO_LARGE',
    ],
    ['nested arrays that claim much', new Array(1000).fill([0xdd, 0x00, 0x00, 0x27, 0x10]).flat(), 'MAKI_PROTOCOL'],
  ]
  for (const [what, bytes, code] of refused) t.throws(() => parseOperationBatch(Uint8Array.from(bytes)), { code }, what)
})

t.test('any bytes are read or refused', async (t) => {
  const good = encodeOperationBatch([new Uint8Array(3), new Uint8Array(300)])
  const page = encodeOperationsPage({ operations: [new Uint8Array(5)], cursor: 'abc', more: true })
  for (const seed of seeds(300)) {
    const random = createRandom(seed)
    for (const [source, read] of [
      [good, parseOperationBatch],
      [page, decodeOperationsPage],
    ] as const) {
      const bytes = random.chance(0.5)
        ? random.bytes(random.integer(40))
        : source.slice(0, 1 + random.integer(source.length))
      if (bytes.length > 0 && random.chance(0.7))
        bytes[random.integer(Math.min(12, bytes.length))] = random.integer(256)
      try {
        read(bytes)
      } catch (error) {
        const { code } = error as { code?: string }
        if (code !== 'MAKI_PROTOCOL' && code !== 'MAKI_TOO_LARGE') t.fail(`seed ${seed}: ${String(error)}`)
      }
    }
  }
  t.pass()
})
