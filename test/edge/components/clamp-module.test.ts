import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import t from 'tap'
import { clampModule } from '../../../edge/components/index.ts'
import { GUESTS, readGuestText } from '../../support/guests/build-wat.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const LIMITS = { maxMemoryPages: 10, maxTableElements: 100 }

/** Its own buffer, as WebAssembly's types want it. */
const compile = (bytes: Uint8Array) => new WebAssembly.Module(Uint8Array.from(bytes))

/** The module with a memory and a table exported, and clamped; what each can grow to, by trying. */
async function grow(wat: string, limits = LIMITS): Promise<{ pages: number; elements: number }> {
  const bytes = await parse(wat)
  const { exports } = new WebAssembly.Instance(compile(clampModule(bytes, limits)))
  const memory = exports.m as WebAssembly.Memory | undefined
  const table = exports.t as WebAssembly.Table | undefined
  const most = (growOne: () => void, size: () => number) => {
    for (let left = 300; left > 0; left -= 1) {
      try {
        growOne()
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
        break
      }
    }
    return size()
  }
  return {
    pages:
      memory === undefined
        ? 0
        : most(
            () => memory.grow(1),
            () => memory.buffer.byteLength / 65_536,
          ),
    elements:
      table === undefined
        ? 0
        : most(
            () => table.grow(1, table.length > 0 ? table.get(0) : null),
            () => table.length,
          ),
  }
}

t.test('what grows ends at the limit, or at its own maximum where that is lower', async (t) => {
  const table: [wat: string, pages: number, elements: number][] = [
    ['(module (memory (export "m") 1))', 10, 0],
    ['(module (memory (export "m") 1 5))', 5, 0],
    ['(module (memory (export "m") 1 500))', 10, 0],
    ['(module (memory (export "m") 10))', 10, 0],
    ['(module (table (export "t") 0 externref))', 0, 100],
    ['(module (table (export "t") 3 7 funcref))', 0, 7],
    ['(module (table (export "t") 3 7000 funcref))', 0, 100],
    ['(module (table (export "t") 3 (ref null extern)))', 0, 100],
    ['(module (func $f) (elem declare func $f) (table (export "t") 3 200 (ref func) (ref.func $f)))', 0, 100],
    ['(module (table (export "t") 3 funcref (ref.null func)))', 0, 100],
    ['(module (global $g externref (ref.null extern)) (table $first 1 funcref) (memory (export "m") 0))', 10, 0],
    ['(module (table $first 1 funcref) (table (export "t") 2 externref) (memory (export "m") 2))', 10, 100],
  ]
  for (const [wat, pages, elements] of table) t.strictSame(await grow(wat), { pages, elements }, wat)
})

t.test('what cannot be clamped is refused, with words', async (t) => {
  const table: [wat: string, words: RegExp][] = [
    ['(module (memory 11))', /0\.6875 MiB from the start; 0\.625 MiB/],
    ['(module (table 101 funcref))', /101 elements/],
    ['(module (memory 1 2 shared))', /shared memory \(threads\)/],
    ['(module (memory i64 1))', /64 bits/],
    ['(module (table i64 1 funcref))', /64 bits/],
    ['(module (memory 1 (pagesize 1)))', /pages of another size/],
    ['(module (type $s (struct)) (table 1 (ref null $s)))', /references that came after/],
    ['(module (table 1 anyref))', /tables of references that came after/],
  ]
  for (const [wat, words] of table) {
    const bytes = await parse(wat)
    t.throws(() => clampModule(bytes, LIMITS), { code: 'MAKI_INVALID', message: words, hint: /\S/ }, wat)
  }
  t.throws(() => clampModule(new Uint8Array(), LIMITS), { code: 'MAKI_INVALID' }, 'nothing')
})

t.test('guests are the same modules otherwise', async (t) => {
  const limits = { maxMemoryPages: 1024, maxTableElements: 10_000 }
  for (const name of GUESTS.filter((name) => !name.startsWith('http-gc-'))) {
    const bytes = await parse(readGuestText(name))
    const [before, after] = [compile(bytes), compile(clampModule(bytes, limits))]
    t.strictSame(WebAssembly.Module.exports(after), WebAssembly.Module.exports(before), name)
    t.strictSame(WebAssembly.Module.imports(after), WebAssembly.Module.imports(before))
    const twice = clampModule(clampModule(bytes, limits), limits)
    t.strictSame(twice, clampModule(bytes, limits), 'clamping again changes nothing')
  }
})

for (const seed of seeds(150)) {
  t.test(`bytes that are damaged are refused, or no more valid than before (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const bytes = Uint8Array.from(await parse(readGuestText(random.pick(GUESTS))))
    for (let left = 1 + random.integer(3); left > 0; left -= 1)
      bytes[8 + random.integer(random.chance(0.7) ? 120 : bytes.length - 8)] = random.integer(256)
    const before = WebAssembly.validate(bytes)
    let clamped: Uint8Array
    try {
      clamped = clampModule(bytes, { maxMemoryPages: 1024, maxTableElements: 10_000 })
    } catch (error) {
      t.match(error, { name: 'MakiError', code: 'MAKI_INVALID' })
      return
    }
    const after = WebAssembly.validate(Uint8Array.from(clamped))
    t.ok(before || !after, 'it does not become valid')
    if (!before || !after) return
    t.strictSame(WebAssembly.Module.exports(compile(clamped)), WebAssembly.Module.exports(compile(bytes)))
    t.strictSame(WebAssembly.Module.imports(compile(clamped)), WebAssembly.Module.imports(compile(bytes)))
  })
}
