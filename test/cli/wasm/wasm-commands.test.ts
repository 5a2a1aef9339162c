import { globSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { inspectComponent, readWit, WORLDS } from '../../../edge/components/index.ts'
import { buildWatGuest } from '../../support/guests/build-wat.ts'
import { runInProcess } from '../support/test-cluster.ts'

const ROOT = join(import.meta.dirname, '../../..')

const maki = (cwd: string, ...argv: string[]) => runInProcess(argv, { cwd, env: { HOME: cwd } })

t.test('fetch writes the WIT of both worlds, and never over anything', async (t) => {
  const folder = t.testdir({ taken: { 'mine.txt': 'mine' }, empty: {}, file: 'text' })
  t.match(await maki(folder, 'wasm', 'fetch'), {
    code: 0,
    stdout: 'wrote ./wit/http.wit\nwrote ./wit/transform.wit\n',
    stderr: '',
  })
  for (const world of ['http', 'transform'] as const)
    t.equal(readFileSync(join(folder, 'wit', `${world}.wit`), 'utf8'), readWit(world))
  const again = await maki(folder, 'wasm', 'fetch')
  t.match(again, { code: 2, stdout: '', stderr: /\.\/wit: the folder exists and is not empty\nTry: .*-o FOLDER/ })
  t.match(await maki(folder, 'wasm', 'fetch', '-o', 'taken'), { code: 2 })
  t.strictSame(readdirSync(join(folder, 'taken')), ['mine.txt'])
  t.match(await maki(folder, 'wasm', 'fetch', '-o', 'file'), { code: 2, stderr: /it is a file/ })
  const { code, stdout } = await maki(folder, 'wasm', 'fetch', '--output', 'empty', '--json')
  t.same(
    { code, told: JSON.parse(stdout) },
    { code: 0, told: { folder: 'empty', files: ['http.wit', 'transform.wit'] } },
  )
})

t.test('check says of each file whether it is fit, and why not', async (t) => {
  const component = await buildWatGuest('http-echo')
  const transform = await buildWatGuest('transform-none')
  const folder = t.testdir({ 'module.wasm': Buffer.from('0061736d01000000', 'hex'), 'page.html': '<p>hello</p>' })
  writeFileSync(join(folder, 'hello.wasm'), component)
  writeFileSync(join(folder, 'banner.wasm'), transform)
  const fit = await maki(folder, 'wasm', 'check', 'hello.wasm', 'banner.wasm')
  t.match(fit, { code: 0, stderr: '' })
  t.match(
    fit.stdout,
    /^hello\.wasm: fit, a function \(world makiatto:http@0\.1\.0\)\nsize +\S+ k?B, \d+ core modules?\n/,
  )
  t.match(fit.stdout, /\n\nbanner\.wasm: fit, a transform \(world makiatto:transform@0\.1\.0\)\n/)
  t.match(fit.stdout, /\nimports +nothing\n/)

  const unfit = await maki(folder, 'wasm', 'check', 'hello.wasm', 'module.wasm', 'page.html')
  t.equal(unfit.code, 1)
  t.match(unfit.stdout, /\nmodule\.wasm: not fit\. The file is a core module of WebAssembly, not a component\.\nTry: /)
  t.match(unfit.stdout, /\npage\.html: not fit\. The file is not WebAssembly\.\nTry: /)

  const json = await maki(folder, 'wasm', 'check', 'hello.wasm', 'module.wasm', '--json')
  t.equal(json.code, 1)
  const found = inspectComponent(component)
  const [good, bad] = JSON.parse(json.stdout)
  t.strictSame(good, { file: 'hello.wasm', fit: true, report: found.kind === 'fit' ? found.report : undefined })
  t.match(bad, { file: 'module.wasm', fit: false, fault: { code: 'core-module', message: String, hint: String } })

  t.match(await maki(folder, 'wasm', 'check', 'hello.wasm', 'none.wasm'), {
    code: 4,
    stdout: '',
    stderr: /no such file/,
  })
  t.match(await maki(folder, 'wasm', 'check', '.'), { code: 4, stderr: /cannot be read/ })
  t.match(await maki(folder, 'wasm', 'check'), { code: 2 })
  t.match(await maki(folder, 'wasm', 'check', 'hello.wasm', '--fast'), { code: 2, stderr: /--fast/ })
})

t.test('the shape that is documented is the one that is printed', async (t) => {
  const text = readFileSync(join(ROOT, 'docs/commands.md'), 'utf8')
  const example = /maki wasm check --json.*?```json\n(.*?)```/s.exec(text)?.[1] ?? ''
  const [good, bad] = JSON.parse(example)
  const inspection = inspectComponent(await buildWatGuest('http-echo'))
  t.strictSame(Object.keys(good.report), inspection.kind === 'fit' ? Object.keys(inspection.report) : [])
  const refused = inspectComponent(Buffer.from('0061736d01000000', 'hex'))
  t.strictSame(Object.keys(bad.fault), refused.kind === 'unfit' ? Object.keys(refused.fault) : [])
  if (refused.kind === 'unfit') t.equal(bad.fault.message, refused.fault.message)
})

t.test('new begins a project in each language, and never in a folder with something in it', async (t) => {
  const folder = t.testdir({ 'my-transform': { 'mine.txt': 'mine' } })
  t.match(await maki(folder, 'wasm', 'new', 'http'), {
    code: 0,
    stdout: /^wrote \d+ files to my-function\n\nNext:\n {2}cd/,
  })
  t.match(await maki(folder, 'wasm', 'new', 'http'), { code: 2, stderr: /exists and is not empty\nTry: .*FOLDER/ })
  t.match(await maki(folder, 'wasm', 'new', 'transform'), { code: 2 })
  t.strictSame(readdirSync(join(folder, 'my-transform')), ['mine.txt'])
  t.match(await maki(folder, 'wasm', 'new', 'proxy'), { code: 2 })
  t.match(await maki(folder, 'wasm', 'new', 'http', 'x', '--lang', 'go'), { code: 2, stderr: /js, ts, rust/ })
  for (const name of ['../1', '1st', 'a b', 'ünder', 'x'.repeat(65)])
    t.match(await maki(folder, 'wasm', 'new', 'http', name), { code: 2, stderr: /is no name for a project/ }, name)
  const { stdout } = await maki(folder, 'wasm', 'new', 'transform', 'deep/crate', '--lang', 'rust', '--json')
  t.match(JSON.parse(stdout), { folder: 'deep/crate', world: 'transform', language: 'rust', next: ['cd deep/crate'] })
  t.strictSame(
    globSync('**/*', { cwd: folder }).filter((path) => path.endsWith('.template')),
    [],
  )
})

t.test('what a guest in JavaScript is typed by is what the WIT says', async (t) => {
  const camel = (text: string): string => text.replace(/-([a-z])/g, (_all, letter) => letter.toUpperCase())
  for (const world of ['http', 'transform'] as const) {
    const folder = t.testdir()
    mkdirSync(join(folder, 'x'), { recursive: true })
    await maki(folder, 'wasm', 'new', world, 'x')
    const types = readFileSync(join(folder, 'x/src/world.d.ts'), 'utf8')
    const wit = readWit(world)
    for (const [, record, body] of wit.matchAll(/record ([a-z-]+) \{(.*?)\n {4}\}/gs)) {
      const name = camel(`-${record}`)
      const typed = new RegExp(`interface ${name} \\{(.*?)\\n\\}`, 's').exec(types)?.[1] ?? ''
      const fields = (text: string, pattern: RegExp): string[] =>
        [...text.matchAll(pattern)].map(([, field]) => camel(String(field)))
      t.strictSame(fields(typed, /readonly ([A-Za-z]+):/g), fields(String(body), /^ +([a-z-]+):/gm), name)
      for (const [, field, type] of String(body).matchAll(/^ +([a-z-]+): (.*),/gm)) {
        const isOptional = String(type).startsWith('option<')
        const line = new RegExp(`readonly ${camel(String(field))}: (.*)`).exec(typed)?.[1] ?? ''
        t.equal(line.endsWith('| null'), isOptional, `${name}.${field}`)
      }
    }
    const labels = /enum method \{(.*?)\}/s.exec(wit)?.[1]?.match(/[a-z]+/g)
    if (labels !== undefined) t.match(types, `type Method = ${labels?.map((label) => `'${label}'`).join(' | ')}`)
    t.match(types, `${camel(WORLDS[world].function)}(`)
  }
})
