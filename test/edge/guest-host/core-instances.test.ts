import { createHash } from 'node:crypto'
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools'
import t from 'tap'
import { exposeState } from '../../../edge/components/index.ts'
import { type CoreCode, CoreInstances } from '../../../edge/guest-host/core-instances.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'

/** All that can change in an instance, and a way to change each. */
const FIRST = `(module
  (type $none (func (result i32)))
  (import "env" "tick" (func $tick (result i32)))
  (memory (export "memory") 1 4)
  (table (export "table") 8 16 funcref)
  (global $i (mut i32) (i32.const -7))
  (global $l (mut i64) (i64.const 1234567890123))
  (global $f (mut f32) (f32.const 1.5))
  (global $d (mut f64) (f64.const -2.25))
  (global $fixed (export "fixed") i32 (i32.const 5))
  (elem (i32.const 1) func $one $two)
  (elem declare func $three)
  (data (i32.const 16) "first")
  (data (i32.const 18) "over it")
  (data (i32.const 65531) "end!!")
  (func $one (result i32) (i32.const 1))
  (func $two (result i32) (global.get $i))
  (func $three (result i32) (call $tick))
  (func $begin (i32.store (i32.const 64) (call $tick)))
  (start $begin)
  (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
  (func (export "bump") (param i32)
    (global.set $i (i32.add (global.get $i) (local.get 0)))
    (global.set $l (i64.add (global.get $l) (i64.extend_i32_s (local.get 0))))
    (global.set $f (f32.add (global.get $f) (f32.convert_i32_s (local.get 0))))
    (global.set $d (f64.add (global.get $d) (f64.convert_i32_s (local.get 0)))))
  (func (export "sum") (result f64)
    (f64.add (f64.add (f64.convert_i32_s (global.get $i)) (f64.convert_i64_s (global.get $l)))
      (f64.add (f64.promote_f32 (global.get $f)) (global.get $d))))
  (func (export "place") (param i32) (table.set (local.get 0) (ref.func $three)))
  (func (export "clear") (param i32) (table.set (local.get 0) (ref.null func)))
  (func (export "call") (param i32) (result i32) (call_indirect (type $none) (local.get 0)))
  (func (export "grow") (result i32) (memory.grow (i32.const 1)))
  (func (export "widen") (result i32) (table.grow (ref.func $three) (i32.const 1)))
  (func (export "trap") (unreachable)))`

/** Writes into what another one has, as adapters do. */
const SECOND = `(module
  (import "first" "memory" (memory 1))
  (import "first" "table" (table 8 funcref))
  (import "first" "call" (func $call (param i32) (result i32)))
  (import "env" "tick" (func $tick (result i32)))
  (global $own (mut i32) (i32.const 40))
  (elem (i32.const 4) func $tick $own)
  (data (i32.const 20) "SECOND")
  (func $own (export "own") (result i32)
    (global.set $own (i32.add (global.get $own) (i32.const 1)))
    (i32.add (global.get $own) (call $call (i32.const 1)))))`

type Function = (...values: unknown[]) => unknown
type Instantiate = (
  code: CoreCode,
  imports?: Record<string, Record<string, unknown>>,
) => { exports: WebAssembly.Exports }

const compile = (bytes: Uint8Array) => new WebAssembly.Module(Uint8Array.from(bytes))
const plainly: Instantiate = ({ module }, imports) => new WebAssembly.Instance(module, imports)

async function prepare(text: string): Promise<{ readonly plain: CoreCode; readonly exposed: CoreCode }> {
  const bytes = await parse(text)
  const exposed = exposeState(bytes)
  if (exposed === undefined) throw new Error('its state cannot be told')
  return {
    plain: { module: compile(bytes), state: undefined },
    exposed: { module: compile(exposed.bytes), state: exposed.state },
  }
}

function attempt(act: () => unknown): unknown {
  try {
    return act()
  } catch (error) {
    return (error as Error).message
  }
}

const ACTS = ['store', 'bump', 'place', 'clear', 'call', 'own', 'trap'] as const
const GROWING = ['grow', 'widen'] as const

/** What a glue does in one life, and all that can be seen of it. `mayGrow`: it grows a memory or a table now and then. */
function live(instantiate: Instantiate, codes: readonly [CoreCode, CoreCode], random: Random, mayGrow: boolean) {
  let ticks = random.integer(1000)
  // Another function in each life, as closures of glue are.
  const env = { tick: () => ++ticks }
  const first = instantiate(codes[0], { env })
  const second = instantiate(codes[1], { env, first: { ...first.exports } })
  const exports: WebAssembly.Exports = { ...first.exports, own: second.exports.own }
  const seen: unknown[] = []
  const look = () => {
    const { buffer } = exports.memory as WebAssembly.Memory
    seen.push(createHash('sha256').update(new Uint8Array(buffer)).digest('hex'), (exports.sum as Function)())
    const table = exports.table as WebAssembly.Table
    for (let i = 0; i < table.length; i++) seen.push(attempt(() => (table.get(i) as Function | null)?.() ?? null))
    seen.push((exports.fixed as WebAssembly.Global).value, buffer.byteLength)
  }
  look()
  for (let left = random.integer(20); left > 0; left -= 1) {
    const act = mayGrow && random.chance(0.05) ? random.pick(GROWING) : random.pick(ACTS)
    const at = act === 'store' ? random.integer(65_533) : random.integer(8)
    const value = random.integer(2 ** 31)
    seen.push(
      act,
      attempt(() => (exports[act] as Function)(at, value)),
    )
  }
  look()
  return { seen, exports: first.exports }
}

t.test('instances that are set back cannot be told from new ones', async (t) => {
  const first = await prepare(FIRST)
  const second = await prepare(SECOND)
  const exposed = [first.exposed, second.exposed] as const
  for (const seed of seeds(60)) {
    const cores = new CoreInstances(exposed)
    const instantiate: Instantiate = (code, imports) => cores.instantiate(code, imports)
    let kept = 0
    let last: unknown
    for (let life = 0; life < 25; life++) {
      const lifeSeed = seed * 1000 + life
      const mayGrow = life % 5 === 0
      cores.begin()
      const lived = live(instantiate, exposed, createRandom(lifeSeed), mayGrow)
      const expected = live(plainly, [first.plain, second.plain], createRandom(lifeSeed), mayGrow)
      if (JSON.stringify(lived.seen) !== JSON.stringify(expected.seen))
        t.same(lived.seen, expected.seen, `seed ${seed}, life ${life}`)
      if (lived.exports === last) kept += 1
      last = lived.exports
    }
    if (kept < 20) t.fail(`seed ${seed}: only ${kept} of 25 lives were set back`)
  }
  t.pass('under every seed')
})

t.test('what it imports is of the new life, and not what it imported before', async (t) => {
  const { exposed } = await prepare('(module (import "a" "f" (func $f (result i32))) (export "f" (func $f)))')
  const cores = new CoreInstances([exposed])
  for (const value of [1, 2, 3]) {
    cores.begin()
    const { exports } = cores.instantiate(exposed, { a: { f: () => value } })
    t.equal((exports.f as Function)(), value)
  }
})

t.test('variables of the glue that it imports are those of the new life', async (t) => {
  const text = '(module (import "a" "g" (global $g (mut i32))) (func (export "g") (result i32) (global.get $g)))'
  const { exposed } = await prepare(text)
  const cores = new CoreInstances([exposed])
  for (let life = 0; life < 40; life++) {
    cores.begin()
    const g = new WebAssembly.Global({ value: 'i32', mutable: true }, life)
    t.equal((cores.instantiate(exposed, { a: { g } }).exports.g as Function)(), life)
  }
})

t.test('a start that changes tables, or fails, is begun anew each time', async (t) => {
  const { exposed } = await prepare(`(module
    (import "a" "f" (func $f (result i32)))
    (table (export "t") 2 funcref)
    (func $one)
    (elem declare func $one)
    (func $begin (if (call $f) (then unreachable)) (table.set (i32.const 0) (ref.func $one)))
    (start $begin))`)
  const cores = new CoreInstances([exposed])
  for (const fails of [false, true, false, false]) {
    cores.begin()
    const make = () => cores.instantiate(exposed, { a: { f: () => (fails ? 1 : 0) } })
    if (fails) {
      t.throws(make)
      cores.forget()
      continue
    }
    const table = make().exports.t as WebAssembly.Table
    t.type(table.get(0), 'function')
    t.equal(table.get(1), null)
    table.set(1, table.get(0))
  }
})

t.test('after forgetting, nothing is used again', async (t) => {
  const { exposed } = await prepare('(module (memory (export "m") 1))')
  const cores = new CoreInstances([exposed])
  const life = () => {
    cores.begin()
    return cores.instantiate(exposed).exports
  }
  const first = life()
  t.equal(life(), first)
  cores.forget()
  t.not(life(), first)
})

t.test('a component whose memory always grows is no longer looked at', async (t) => {
  const { exposed } = await prepare('(module (memory (export "m") 1))')
  const cores = new CoreInstances([exposed])
  for (let life = 0; life < 50; life++) {
    cores.begin()
    const memory = cores.instantiate(exposed).exports.m as WebAssembly.Memory
    t.equal(memory.buffer.byteLength, 65_536)
    memory.grow(1)
  }
  const life = () => {
    cores.begin()
    return cores.instantiate(exposed).exports
  }
  t.not(life(), life(), 'each is made anew')
})
