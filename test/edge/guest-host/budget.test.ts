import t from 'tap'
import { installBudget, refillCopies, setBudget, TooLarge } from '../../../edge/guest-host/budget.ts'
import { MOST_GIVEN } from '../../../edge/guest-host/index.ts'

const { TextDecoder: Decoder } = globalThis
const { slice } = ArrayBuffer.prototype
installBudget()
t.teardown(() => {
  globalThis.TextDecoder = Decoder
  ArrayBuffer.prototype.slice = slice
})

const decoder = new TextDecoder()

t.test('strings cost their bytes, and something each', async (t) => {
  setBudget(1000)
  t.equal(decoder.decode(Buffer.from('ä'.repeat(100))), 'ä'.repeat(100))
  t.throws(() => decoder.decode(Buffer.alloc(700)), TooLarge)
  setBudget(1000)
  // A list of a million empty strings.
  let count = 0
  t.throws(() => {
    for (; count < 1_000_000; count++) decoder.decode(new Uint8Array(0))
  }, TooLarge)
  t.ok(count < 100, `${count} strings of nothing`)
})

t.test('lists of bytes are what they were, and bounded until the owner hears of them', async (t) => {
  const memory = Uint8Array.from({ length: 100_000 }, (_, i) => i % 251).buffer
  setBudget(0)
  t.same(
    new Uint8Array(memory.slice(10, 20)),
    Uint8Array.from({ length: 10 }, (_, i) => i + 10),
  )
  t.equal(memory.slice(99_990, 4_294_967_295).byteLength, 10, 'what lies beyond the memory is not there')
  t.equal(memory.slice(200_000, 300_000).byteLength, 0)
  // One list of 8 MB, named as often as a list of lists has room for.
  const large = new ArrayBuffer(8_000_000)
  const copyAll = (most: number) => {
    for (let i = 0; i < most; i++) large.slice(0, 8_000_000)
  }
  t.throws(() => copyAll(300_000), TooLarge)
  refillCopies()
  copyAll(Math.floor(MOST_GIVEN.copiedBytes / 8_000_100))
  refillCopies()
  const none = new ArrayBuffer(0)
  t.throws(() => {
    for (let i = 0; i < 4_000_000; i++) none.slice(0, 0)
  }, TooLarge)
})
