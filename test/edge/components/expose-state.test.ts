import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import t from 'tap'
import { clampModule, exposeState } from '../../../edge/components/index.ts'
import { GUESTS, readGuestText } from '../../support/guests/build-wat.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const compile = (bytes: Uint8Array) => new WebAssembly.Module(Uint8Array.from(bytes))
const find = async (text: string) => exposeState(await parse(text))

t.test('guests import and export what they did, and their state beside it', async (t) => {
  let exposedCount = 0
  for (const name of GUESTS) {
    const bytes = clampModule(await parse(readGuestText(name)), { maxMemoryPages: 1024, maxTableElements: 1e6 })
    const exposed = exposeState(bytes)
    if (exposed === undefined) continue
    exposedCount += 1
    const [before, after] = [compile(bytes), compile(exposed.bytes)]
    t.same(WebAssembly.Module.imports(after), WebAssembly.Module.imports(before), name)
    const exports = WebAssembly.Module.exports(after)
    t.same(
      exports.filter((one) => !one.name.startsWith("'")),
      WebAssembly.Module.exports(before),
    )
    const { memory, globals, tables, start } = exposed.state
    const named = [memory, ...globals, ...tables, start].filter((one) => one !== undefined)
    t.same(
      exports
        .filter((one) => one.name.startsWith("'"))
        .map((one) => one.name)
        .sort(),
      named.sort(),
    )
  }
  t.ok(exposedCount > GUESTS.length / 2, `${exposedCount} of ${GUESTS.length}`)
})

t.test('tells what is there at the start', async (t) => {
  const found = await find(`(module
    (import "a" "f" (func $f)) (import "a" "g" (global i32)) (import "a" "t" (table 1 funcref))
    (memory 3)
    (table 2 funcref)
    (global (mut i64) (i64.const -1)) (global f64 (f64.const 1)) (global (mut f32) (f32.const 1))
    (start $f)
    (elem (table 0) (i32.const 0) func $f)
    (data (i32.const 70000) "one") (data (i32.const 0) ""))`)
  t.match(found?.state, {
    memoryBytes: 3 * 65_536,
    globals: ["'global 1", "'global 3"],
    tables: ["'table 0", "'table 1"],
    start: "'start",
  })
  t.same(
    found?.state.segments.map(({ offset, bytes }) => [offset, Buffer.from(bytes).toString()]),
    [
      [70_000, 'one'],
      [0, ''],
    ],
  )
  // A start that is called by whoever makes an instance, and not by itself.
  const module = compile(found?.bytes as Uint8Array)
  let calls = 0
  const table = new WebAssembly.Table({ element: 'anyfunc', initial: 1 })
  const g = new WebAssembly.Global({ value: 'i32' }, 1)
  const { exports } = new WebAssembly.Instance(module, { a: { f: () => void calls++, g, t: table } })
  t.equal(calls, 0)
  ;(exports["'start"] as () => void)()
  t.equal(calls, 1)
})

t.test('an imported memory is not its own', async (t) => {
  const found = await find('(module (import "a" "m" (memory 1)) (data (i32.const 1) "x"))')
  t.match(found?.state, { memory: "'memory", memoryBytes: undefined })
  t.equal(found?.state.segments.length, 1)
})

t.test('what cannot be set back for sure is left as it is', async (t) => {
  const left = {
    'data that may be written while it runs': '(module (memory 1) (data "later"))',
    'elements that may be written while it runs': '(module (table 1 funcref) (func $f) (elem func $f))',
    'data whose place is computed': '(module (import "a" "g" (global i32)) (memory 1) (data (global.get 0) "x"))',
    'a variable that is a reference': '(module (global (mut funcref) (ref.null func)))',
    'a variable that is a vector': '(module (global (mut v128) (v128.const i32x4 0 0 0 0)))',
    'a value that is computed': '(module (global (mut i32) (i32.add (i32.const 1) (i32.const 2))))',
    'two memories': '(module (memory 1) (memory 1))',
  }
  for (const [what, text] of Object.entries(left)) t.equal(await find(text), undefined, what)
})

t.test('places of data are read as WebAssembly has them', async (t) => {
  for (const offset of [0, 1, 63, 64, 127, 128, 8191, 8192, 65_535, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
    const found = await find(`(module (memory 65536) (data (i32.const ${offset | 0}) ""))`)
    t.equal(found?.state.segments[0]?.offset, offset)
  }
})

t.test('bytes that are no module are left alone, and do no harm', async (t) => {
  const whole = await parse(readGuestText('http-echo'))
  for (const seed of seeds(300)) {
    const random = createRandom(seed)
    const bytes = Uint8Array.from(whole)
    for (let left = 1 + random.integer(4); left > 0; left -= 1)
      bytes[random.integer(bytes.length)] = random.integer(256)
    const cut = random.chance(0.3) ? bytes.subarray(0, random.integer(bytes.length)) : bytes
    t.doesNotThrow(() => exposeState(cut), `seed ${seed}`)
  }
})
