import t from 'tap'
import { inspectComponent, readWit, type World } from '../../../edge/components/index.ts'
import { buildDummy } from '../../support/guests/build-wat.ts'

/** What is said of a component that was built with a WIT in which something was replaced. */
async function inspectChanged(world: World, from: string | RegExp, to: string) {
  const wit = readWit(world)
  const changed = wit.replace(from, () => to)
  if (changed === wit) throw new Error(`${from} is not in the WIT`)
  return inspectComponent(await buildDummy(changed, world))
}

for (const world of ['http', 'transform'] as const) {
  t.test(`what is built with the WIT of ${world} is fit`, async (t) => {
    const inspection = inspectComponent(await buildDummy(readWit(world), world))
    t.match(inspection, { kind: /^fit$/, report: { world, imports: [], otherExports: [] } })
  })
}

t.test('each difference from the WIT is found, and said where', async (t) => {
  const table: [world: World, from: string | RegExp, to: string, words: RegExp][] = [
    ['http', 'latitude: f64,', '', /field `ctx\.latitude` is missing; there is "longitude"/],
    ['http', 'latitude: f64,', 'latitude: f32,', /`ctx\.latitude` is `f32`, not `f64`/],
    ['http', 'latitude: f64,', 'latitude: f64, altitude: f64,', /`ctx\.longitude` has its place taken by "altitude"/],
    ['http', 'longitude: f64,', 'longitude: f64, altitude: f64,', /`ctx` has a field "altitude" more/],
    ['http', 'name: string,', 'title: string,', /field `ctx\.name` is missing; there is "title"/],
    ['http', 'options,', 'options, trace,', /`req\.method` has a case "trace" more/],
    ['http', 'options,', '', /case `req\.method\.options` is missing/],
    ['http', 'patch,', 'query,', /case `req\.method\.patch` is missing; there is "query"/],
    ['http', 'query: option<string>', 'query: string', /`req\.query` is `string`, not `option<string>`/],
    ['http', 'query: option<string>', 'query: option<u8>', /`req\.query`, inside of its option, is `u8`, not `string`/],
    ['http', 'status: u16', 'status: u32', /result\.status is `u32`, not `u16`/],
    [
      'http',
      /headers: list<tuple<string, string>>,(?=\s+\/\/\/ All)/,
      'headers: list<tuple<string, list<u8>>>,',
      /`req\.headers`, inside of its list,\.1 is `list<u8>`, not `string`/,
    ],
    ['http', ' -> response', '', /it gives no result/],
    ['http', ' -> response', ' -> result<response>', /result is a result, not a record of 3/],
    ['http', 'ctx: node-context, req', 'req', /parameter `ctx` is missing; there is "req"/],
    ['http', 'req: request)', 'req: request, more: u8)', /it has a parameter "more" more/],
    ['transform', 'size: u64', 'size: u32', /`info\.size` is `u32`, not `u64`/],
    ['transform', 'content: list<u8>)', 'content: string)', /`content` is `string`, not `list<u8>`/],
    [
      'transform',
      '-> option<transform-result>',
      '-> transform-result',
      /result is a record of 3, not `option<record>`/,
    ],
  ]
  for (const [world, from, to, words] of table) {
    const inspection = await inspectChanged(world, from, to)
    t.match(inspection, { kind: 'unfit', fault: { code: 'wrong-type', message: words, hint: /maki wasm fetch/ } }, to)
  }
})

t.test('names of types do not count, only what they are made of', async (t) => {
  const renamed = readWit('http').replaceAll('node-context', 'place').replaceAll('response', 'reply')
  t.match(inspectComponent(await buildDummy(renamed, 'http')), { kind: /^fit$/ })
})

t.test('other worlds are told apart', async (t) => {
  const both = (inner: string) => `package a:b;\nworld w { ${inner} }`
  const nested = (world: World) => `${readWit(world).replace(/^package (.*);$/m, 'package $1 {')}\n}`
  const table: [wit: string, code: string, words: RegExp][] = [
    [both('export run: func();'), 'wrong-world', /exports "run", but neither makiatto:http\/handler@0\.1\.0/],
    [both(''), 'missing-export', /exports nothing/],
    [
      both('export one: func(); export two: func(); export three: func(); export four: func();'),
      'wrong-world',
      /1 more/,
    ],
    [
      `${both('export makiatto:http/handler@0.1.0; export makiatto:transform/transformer@0.1.0;')}
        ${nested('http')} ${nested('transform')}`,
      'wrong-world',
      /exports both worlds/,
    ],
    [
      `${both('export makiatto:http/handler@0.2.0;')} ${nested('http').replace('@0.1.0', '@0.2.0')}`,
      'wrong-world',
      /exports "makiatto:http\/handler@0\.2\.0"; this version offers makiatto:http\/handler@0\.1\.0/,
    ],
    [
      `${both('export makiatto:http/handler@0.1.0;')} package makiatto:http@0.1.0 { interface handler { handle: func(); } }`,
      'missing-export',
      /without its function `handle-request`/,
    ],
    [
      `${both('export wasi:cli/run@0.2.3;')} package wasi:cli@0.2.3 { interface run { run: func() -> result; } }`,
      'wrong-world',
      /a program for a command line/,
    ],
    [
      `${both('export wasi:http/incoming-handler@0.2.3;')} package wasi:http@0.2.3 { interface incoming-handler { handle: func(); } }`,
      'wrong-world',
      /wasi:http\/proxy, which is not served yet/,
    ],
  ]
  for (const [wit, code, words] of table)
    t.match(
      inspectComponent(await buildDummy(wit, 'w')),
      { kind: 'unfit', fault: { code, message: words } },
      String(words),
    )
})

t.test('what is exported beside the world is let in and named', async (t) => {
  const wit = readWit('http').replace('export handler;', 'export handler; export init: func();')
  t.match(inspectComponent(await buildDummy(wit, 'http')), { kind: /^fit$/, report: { otherExports: ['init'] } })
})
