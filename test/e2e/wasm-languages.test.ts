import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { eventually } from '../support/eventually.ts'
import { Dev } from './support/dev.ts'
import { ROOT, Scene } from './support/scene.ts'
import { provideTools } from './support/tools.ts'

/**
 * Builds the examples of the pages about JavaScript and TypeScript, each in a project as `maki wasm new` makes it and by the
 * commands that it says, and asks all of them where `maki dev` serves them.
 */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const env = provideTools(scene)
const site = scene.path('shop')
const PAGES = [
  { page: 'docs/write-in-javascript.md', language: 'js', fence: 'js' },
  { page: 'docs/write-in-typescript.md', language: 'ts', fence: 'ts' },
] as const

for (const { page, language, fence } of PAGES)
  t.test(page, async (t) => {
    const text = readFileSync(join(ROOT, page), 'utf8')
    const examples = [...text.matchAll(new RegExp(`^\`\`\`${fence}\\n// (src/index\\.\\w+)\\n(.*?)^\`\`\``, 'gms'))]
    t.strictSame(
      examples.map(([, path]) => path),
      [`src/index.${language}`, `src/index.${language}`],
      'a function and a transform',
    )
    for (const [i, world] of (['http', 'transform'] as const).entries()) {
      const folder = scene.path(`${world}-${language}`)
      const made = await scene.maki(['wasm', 'new', world, folder, '--lang', language, '--json'], { env })
      t.equal(made.code, 0, made.stderr)
      writeFileSync(join(folder, `src/index.${language}`), examples[i]?.[2] ?? '')
      // `cd`, what installs and builds, and `maki dev` last.
      const { next } = JSON.parse(made.stdout) as { next: string[] }
      for (const command of next.slice(1, -1)) {
        const run = await scene.run('bash', ['-c', command], { cwd: folder, env })
        t.equal(run.code, 0, `${command}\n${run.stdout}${run.stderr}`)
      }
      const path = /^path = "(.*\.wasm)"/m.exec(readFileSync(join(folder, 'makiatto.toml'), 'utf8'))?.[1] ?? ''
      const built = readFileSync(join(folder, 'site', path))
      const place = join(site, 'public', world === 'http' ? `api/${language}.wasm` : `${language}.wasm`)
      mkdirSync(dirname(place), { recursive: true })
      writeFileSync(place, built)
    }
  })

t.test('all of them answer', async (t) => {
  for (const [path, text] of [
    ['index.html', '<title>Coffee</title><body>Espresso</body>'],
    ['notes.txt', 'quiet words'],
  ] as const)
    writeFileSync(join(site, 'public', path), text)
  writeFileSync(
    join(site, 'makiatto.toml'),
    `[[domain]]
name = "shop.test"
path = "public"
[[domain.functions]]
path = "api/js.wasm"
env = { MODE = "live" }
[[domain.functions]]
path = "api/ts.wasm"
[[domain.transforms]]
path = "js.wasm"
files = "**/*.html"
env = { BANNER = "fresh" }
[[domain.transforms]]
path = "ts.wasm"
files = "**/*.txt"
`,
  )
  const checked = await scene.maki(['wasm', 'check', 'public/js.wasm', 'public/api/ts.wasm'], { cwd: site })
  t.equal(checked.code, 0, checked.stdout)
  await using dev = await Dev.start(scene, site)
  const [first] = dev.nodes
  const ask = async (path: string, content?: string): Promise<Answer> => {
    const response = await fetch(`${first?.http}${path}`, {
      headers: { host: 'shop.test' },
      ...(content === undefined ? {} : { method: 'POST', body: content }),
    })
    return { status: response.status, type: response.headers.get('content-type'), text: await response.text() }
  }
  const json = 'application/json'
  const ready = await eventually('the release', async () => {
    const answer = await ask('/api/js')
    return answer.status === 200 ? answer : undefined
  })
  t.strictSame(ready, { status: 200, type: json, text: '{"title":"Coffee","node":"node1","mode":"live"}' })
  t.strictSame(await ask('/api/js', '{"name":"Ann"}'), {
    status: 201,
    type: json,
    text: '{"hello":"Ann","country":null}',
  })
  t.match(await ask('/api/js', 'no JSON'), { status: 500, text: /^500 / }, 'an error tells nothing')
  const order = await ask('/api/ts', '{"coffee":"flat white","cups":2}')
  t.match(order, { status: 200, text: '2 × flat white from node1\n' })
  t.match(await ask('/api/ts', 'tea'), { status: 400, text: /^order like/ })
  t.match(await ask('/'), { status: 200, text: '<title>Coffee</title><body>Espresso<p>fresh /index.html</p></body>' })
  t.match(await ask('/notes.txt'), { status: 200, text: 'QUIET WORDS' })
  t.equal((await ask('/js.wasm')).status, 404, 'no component is published')
})

interface Answer {
  readonly status: number
  readonly type: string | null
  readonly text: string
}
