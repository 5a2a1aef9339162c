import t from 'tap'
import { SipHash } from '../../../dns/wire/sip-hash.ts'

/** Of the paper's reference implementation, by message length: key 00 01 .. 0f, message 00 01 .. */
const VECTORS: readonly (readonly [length: number, digest: string])[] = [
  [0, '310e0edd47db6f72'],
  [1, 'fd67dc93c539f874'],
  [2, '5a4fa9d909806c0d'],
  [3, '2d7efbd796666785'],
  [4, 'b7877127e09427cf'],
  [5, '8da699cd64557618'],
  [6, 'cee3fe586e46c9cb'],
  [7, '37d1018bf50002ab'],
  [8, '6224939a79f5f593'],
  [9, 'b0e4a90bdf82009e'],
  [15, 'e545be4961ca29a1'],
  [16, 'db9bc2577fcc2a3f'],
  [31, '42c341d8fa92d832'],
  [47, 'eb75095ccd986cd0'],
  [63, '724506eb4c328a95'],
]

t.test('digests are those of the reference implementation', async (t) => {
  const hash = new SipHash(Uint8Array.from({ length: 16 }, (_, i) => i))
  for (const [length, expected] of VECTORS) {
    const { low, high } = hash.digest(Uint8Array.from({ length }, (_, i) => i))
    const bytes = Buffer.alloc(8)
    bytes.writeUInt32LE(low, 0)
    bytes.writeUInt32LE(high, 4)
    t.equal(bytes.toString('hex'), expected, `${length} octets`)
  }
  t.throws(() => new SipHash(new Uint8Array(15)), RangeError)
})
