import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { parse, print } from '@bytecodealliance/jco-transpile/wasm-tools'
import t from 'tap'
import {
  COMPONENT_FAULT_CODES,
  type ComponentFaultCode,
  inspectComponent,
  OFFERED,
} from '../../../edge/components/index.ts'
import { buildComponent, buildWatGuest, GUESTS, readGuestText } from '../../support/guests/build-wat.ts'

const inspectWat = async (wat: string) => inspectComponent(await parse(wat))

t.test('guests of both worlds are fit, but for those that use what cannot be bounded', async (t) => {
  for (const name of GUESTS) {
    const bytes = await buildWatGuest(name)
    const inspection = inspectComponent(bytes)
    if (name.startsWith('http-gc-'))
      t.match(inspection, { kind: 'unfit', fault: { code: 'unsupported-feature', message: /garbage collector/ } }, name)
    else {
      const pages = name.includes('amplify-headers') ? 256 : 2
      t.strictSame(
        inspection,
        {
          kind: 'fit',
          report: {
            world: name.startsWith('http') ? 'http' : 'transform',
            sizeBytes: bytes.length,
            imports: [],
            otherExports: [],
            coreModules: 1,
            coreInstances: 1,
            initialMemoryBytes: pages * 65_536,
            largestMemoryBytes: pages * 65_536,
          },
        },
        name,
      )
    }
  }
})

t.test('what is no component says what it is', async (t) => {
  const component = await buildWatGuest('http-blank')
  const table: [bytes: Uint8Array, code: ComponentFaultCode, words: RegExp][] = [
    [new Uint8Array(), 'not-wasm', /is empty/],
    [Buffer.from('(module)'), 'not-wasm', /text format/],
    [gzipSync(component), 'not-wasm', /compressed with gzip/],
    [Buffer.from('<!doctype html><p>Not found'), 'not-wasm', /is not WebAssembly\.$/],
    [component.subarray(0, 7), 'not-wasm', /./],
    [await parse(readGuestText('http-blank')), 'core-module', /a core module of WebAssembly, not a component/],
    [Buffer.from([0, 0x61, 0x73, 0x6d, 0x0e, 0, 1, 0]), 'broken', /a version of the binary format/],
    [component.subarray(0, 900), 'broken', /longer than itself \(at byte/],
  ]
  for (const [bytes, code, message] of table)
    t.match(inspectComponent(bytes), { kind: 'unfit', fault: { code, message, hint: /\S/ } }, String(message))
})

t.test('what is too large, and how large it may be', async (t) => {
  const component = await buildWatGuest('http-blank')
  const limits = { maxSizeBytes: component.length }
  t.match(inspectComponent(component, limits), { kind: /^fit$/ })
  const larger = Buffer.concat([component, Buffer.of(0, 2, 1, 0x61)])
  t.match(inspectComponent(larger, limits), { fault: { code: 'too-large', message: /MiB are the most/ } })
  t.match(inspectComponent(larger), { kind: /^fit$/ })
  const memory = { maxInitialMemoryBytes: 65_536 }
  t.match(inspectComponent(component, memory), { fault: { code: 'too-much-memory', message: /0\.2 MiB .* 0\.1 MiB/ } })
})

t.test('features that are not offered are named', async (t) => {
  const inModule = (fields: string) => `(component (core module ${fields}))`
  const table: [wat: string, words: RegExp][] = [
    [inModule('(memory 1 2 shared)'), /shared memory \(threads\)/],
    [inModule('(import "a" "b" (memory 1 2 shared))'), /shared memory \(threads\)/],
    [inModule('(memory i64 1)'), /memory64/],
    [inModule('(memory 1) (memory 1)'), /multi-memory/],
    [inModule('(import "a" "b" (memory 1)) (memory 1)'), /multi-memory/],
    [inModule('(memory 1 (pagesize 1))'), /pages of another size/],
    [inModule('(table i64 1 funcref)'), /tables of 64 bits/],
    [inModule('(type (struct))'), /garbage collector/],
    [inModule('(rec (type (func)) (type (func)))'), /garbage collector/],
    [inModule('(func (param anyref))'), /came after WebAssembly 2\.0/],
    [inModule('(import "a" "b" (global (ref null any)))'), /came after WebAssembly 2\.0/],
    [inModule('(tag)'), /exceptions/],
    [inModule('(import "a" "b" (tag))'), /exceptions/],
    ['(component (core type (func)))', /types of core modules/],
    ['(component (import "a" (core module)))', /core modules that are imported|types of core modules/],
    ['(component (import "a" (component)))', /types of components/],
    ['(component (type (component)))', /types of components/],
    ['(component (type (stream u8)))', /streams or futures/],
    ['(component (type (future u8)))', /streams or futures/],
    ['(component (type (list u8 4)))', /type of a new kind/],
    ['(component (type error-context))', /type of a new kind/],
    ['(component (core func (canon error-context.drop)))', /asynchronous component model/],
    ['(component (component $c) (export "c" (component $c)))', /components, core modules or values/],
    ['(component '.repeat(12) + ')'.repeat(12), /nested deeper than 8/],
  ]
  for (const [wat, message] of table)
    t.match(await inspectWat(wat), { kind: 'unfit', fault: { code: 'unsupported-feature', message } }, wat.slice(0, 90))
})

t.test('what is multiplied is counted and not made', async (t) => {
  const doubling = (innermost: string, levels: number) => {
    let wat = innermost
    // Each level stands beside the one before it, and instantiates it twenty times.
    for (let level = 1; level <= levels; level += 1)
      wat += `(component $c${level} (alias outer 1 $c${level - 1} (component $c))
        ${'(instance (instantiate $c))'.repeat(20)})`
    return `(component ${wat})`
  }
  const table: [wat: string, code: ComponentFaultCode, words: RegExp][] = [
    [
      doubling('(component $c0 (core module $m) (core instance (instantiate $m)))', 40),
      'too-large',
      /500 instances of core modules/,
    ],
    [
      doubling('(component $c0 (core module $m (memory 1)) (core instance (instantiate $m)))', 2),
      'too-much-memory',
      /50 memories/,
    ],
    [doubling('(component $c0)', 40), 'too-large', /300000 definitions/],
    [
      '(component (core module $m (table 600000 funcref)) (core instance (instantiate $m)) (core instance (instantiate $m)))',
      'too-much-memory',
      /tables of more than 1000000 elements/,
    ],
    [
      `(component (type $t0 u8) ${Array.from({ length: 40 }, (_, i) => `(type $t${i + 1} (tuple $t${i} $t${i}))`).join('')})`,
      'too-large',
      /more than 5000 parts/,
    ],
    [
      `(component (type $t0 u8) ${Array.from({ length: 200 }, (_, i) => `(type $t${i + 1} (list $t${i}))`).join('')})`,
      'too-large',
      /nested deeper than 100/,
    ],
    [`(component ${'(core module)'.repeat(201)})`, 'too-large', /200 core modules/],
    [`(component ${'(component)'.repeat(1001)})`, 'too-large', /1000 components/],
    [`(component ${'(type u8)'.repeat(200_001)})`, 'too-large', /200000 names, types/],
  ]
  for (const [wat, code, message] of table)
    t.match(await inspectWat(wat), { kind: 'unfit', fault: { code, message } }, String(message))
})

/** A component of the http world that also imports an instance with all that `exports` (WAT) says. */
async function importing(name: string, exports: string): Promise<Uint8Array> {
  // Last, since what the other part has is referred to by numbers.
  return await parse((await blank).trimEnd().replace(/\)$/, () => `(import "${name}" (instance ${exports})))`))
}
const blank = buildWatGuest('http-blank').then(print)
const RESOURCE = '(export "pollable" (type $p (sub resource)))'
const POLL = `${RESOURCE} (type $list (list (own $p)))`

t.test('every interface that is offered can be imported, at any version of 0.2', async (t) => {
  for (const [name, functions] of OFFERED) {
    const plain = [...functions].filter((name) => !name.startsWith('['))
    const component = await importing(`${name}@0.2.6`, plain.map((name) => `(export "${name}" (func))`).join(''))
    t.match(inspectComponent(component), { kind: /^fit$/, report: { imports: [`${name}@0.2.6`] } }, name)
  }
  const method = `${POLL} (export "[method]pollable.block" (func (param "self" (borrow $p))))`
  t.match(inspectComponent(await importing('wasi:io/poll@0.2.0', method)), { kind: /^fit$/ })
})

t.test('what is not offered is named, with what is', async (t) => {
  const refused: [name: string, exports: string, words: RegExp, hint: RegExp][] = [
    ['wasi:cli/environment@0.3.0', '', /0\.2\.0 and later of 0\.2 only/, /wasip2/],
    ['wasi:cli/environment@0.1.0', '', /0\.2\.0 and later of 0\.2 only/, /wasip2/],
    ['wasi:cli/environment@0.2.0-rc-2023-12-05', '', /0\.2\.0 and later of 0\.2 only/, /wasip2/],
    ['wasi:cli/environment', '', /0\.2\.0 and later of 0\.2 only/, /wasip2/],
    ['wasi:keyvalue/store@0.2.0', '', /"wasi:keyvalue\/store@0\.2\.0", which is not offered/, /wasi:cli, wasi:clocks/],
    ['wasi:cli/run@0.2.0', '', /is not offered here/, /wasi:cli\/environment, wasi:cli\/exit/],
    ['wasi:http/incoming-handler@0.2.0', '', /answered by another component/, /\S/],
    ['acme:goods/thing@1.0.0', '', /not offered here/, /packages/],
    ['wasi:io/poll@0.2.0', '(export "poll-all" (func))', /"poll-all" of wasi:io\/poll@0\.2\.0/, /\S/],
    [
      'wasi:io/poll@0.2.0',
      `${POLL} (export "[method]pollable.end" (func (param "self" (borrow $p))))`,
      /"\[method\]pollable\.end" of wasi:io\/poll@0\.2\.0/,
      /\S/,
    ],
    ['wasi:io/poll@0.2.0', '(export "inner" (instance))', /"inner" of wasi:io\/poll/, /\S/],
  ]
  for (const [name, exports, message, hint] of refused)
    t.match(
      inspectComponent(await importing(name, exports)),
      { fault: { code: 'unknown-import', message, hint } },
      name,
    )
  const own = await buildComponent(
    readGuestText('http-blank').replace('(module', '(module (import "$root" "poke" (func))'),
    'http',
    { imports: 'import poke: func();', packages: '' },
  )
  t.match(inspectComponent(own), { fault: { code: 'unknown-import', message: /"poke", a function of its own world/ } })
})

t.test('the page about components has every code and every interface', async (t) => {
  const page = readFileSync(new URL('../../../docs/components.md', import.meta.url), 'utf8')
  const codes = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, code]) => code)
  t.strictSame(codes, [...COMPONENT_FAULT_CODES])
  for (const path of OFFERED.keys()) t.match(page, `\`${path.split('/')[0]}\``, path)
})
