import { execFileSync } from 'node:child_process'
import { globSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { LANGUAGES } from '../../../cli/wasm/index.ts'
import { inspectComponent, readWit, WORLDS } from '../../../edge/components/index.ts'
import { runInProcess } from '../support/test-cluster.ts'

// Builds four components, each with tools in processes of their own.
t.setTimeout(0)
const ROOT = join(import.meta.dirname, '../../..')
const maki = (cwd: string, ...argv: string[]) => runInProcess(argv, { cwd, env: { HOME: cwd } })

for (const language of LANGUAGES)
  for (const world of ['http', 'transform'] as const)
    t.test(`a ${world} in ${language}: every file is filled in, and named in what is said`, async (t) => {
      const folder = t.testdir()
      const made = await maki(folder, 'wasm', 'new', world, 'first-one', '--lang', language)
      t.equal(made.code, 0, made.stderr)
      const project = join(folder, 'first-one')
      for (const path of globSync('**/*', { cwd: project, withFileTypes: true })) {
        if (!path.isFile()) continue
        const text = readFileSync(join(path.parentPath, path.name), 'utf8')
        t.notMatch(text, /\{\{(name|crate|output)\}\}/, path.name)
      }
      if (language === 'rust') checkRust(t, project, world)
      else await buildProject(t, project, world)
    })

/** Builds it as its README says, with the tools of this checkout in place of an installation. */
async function buildProject(t: Test, project: string, world: 'http' | 'transform'): Promise<void> {
  const pinned = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'))
  const ours = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  for (const [name, version] of Object.entries(pinned.devDependencies))
    t.equal(version, ours.devDependencies[name], `${name} is what is tested here`)
  symlinkSync(join(ROOT, 'node_modules'), join(project, 'node_modules'))
  const env = { ...process.env, npm_config_offline: 'true', npm_config_update_notifier: 'false' }
  execFileSync('npm', ['run', 'build'], { cwd: project, env, stdio: 'pipe' })
  const config = readFileSync(join(project, 'makiatto.toml'), 'utf8')
  const path = /^path = "(.*\.wasm)"/m.exec(config)?.[1] ?? ''
  const inspection = inspectComponent(readFileSync(join(project, 'site', path)))
  t.match(inspection, { kind: 'fit', report: { world } })
  // A name that a person mistypes is an error of the build in TypeScript.
  if (readdirSync(project).includes('tsconfig.json')) {
    const source = join(project, 'src/index.ts')
    writeFileSync(source, readFileSync(source, 'utf8').replaceAll('ctx.', 'ctx.no_').replace('info.path', 'info.paht'))
    t.throws(() => execFileSync('npm', ['run', 'build'], { cwd: project, env, stdio: 'pipe' }))
  }
}

/** There is no target for WebAssembly here: the names in the source are held against the WIT, as wit-bindgen spells them. */
function checkRust(t: Test, project: string, world: 'http' | 'transform'): void {
  t.equal(readFileSync(join(project, 'wit', `${world}.wit`), 'utf8'), readWit(world))
  t.match(readFileSync(join(project, 'Cargo.toml'), 'utf8'), /crate-type = \["cdylib"\]/)
  checkRustSource(t, readFileSync(join(project, 'src/lib.rs'), 'utf8'), world)
}

function checkRustSource(t: Test, source: string, world: 'http' | 'transform'): void {
  const wit = readWit(world)
  const { interface: name, function: called } = WORLDS[world]
  const snake = (text: string): string => text.replaceAll('-', '_')
  const pascal = (text: string): string => text.replace(/(^|-)([a-z])/g, (_all, _dash, letter) => letter.toUpperCase())
  const path = name.replace(/@.*/, '').replace(/[:/]/g, '::')
  t.match(source, `exports::${path}::{`)
  t.match(source, `world: "${world}"`)
  const [, parameters = '', result = ''] = new RegExp(`${called}: func\\((.*)\\) -> (.*);`).exec(wit) ?? []
  const rustType = (type: string): string => {
    const inner = /^(list|option)<(.*)>$/.exec(type)
    if (inner?.[1] === 'list') return `Vec<${rustType(inner[2] as string)}>`
    if (inner?.[1] === 'option') return `Option<${rustType(inner[2] as string)}>`
    return ['u8', 'u16', 'u64', 'f64'].includes(type) ? type : pascal(type)
  }
  const list = parameters.split(', ').map((part) => part.split(': ') as [string, string])
  const typed = list.map(([parameter, type]) => `_?${snake(parameter)}: ${rustType(type)}`).join(', ')
  t.match(source, new RegExp(`fn ${snake(called)}\\(${typed}\\) -> ${rustType(result)} \\{`))
  const records = [...wit.matchAll(/record ([a-z-]+) \{(.*?)\n {4}\}/gs)]
  const fields = records.flatMap(([, , body]) =>
    [...String(body).matchAll(/^ +([a-z-]+):/gm)].map(([, field]) => snake(String(field))),
  )
  for (const [, used] of source.matchAll(/\b(?:req|ctx|info)\.([a-z_]+)/g))
    t.ok(fields.includes(String(used)), String(used))
  const built = /^ {8}(?:Some\()?(?:Response|TransformResult) \{\n(.*?)\n {8}\}/ms.exec(source)?.[1] ?? ''
  const given = [...built.matchAll(/^ {12}([a-z_]+):/gm)].map(([, field]) => field)
  const [, , wanted = ''] =
    records.find(([, record]) => record === (world === 'http' ? 'response' : 'transform-result')) ?? []
  t.strictSame(given.sort(), [...wanted.matchAll(/^ +([a-z-]+):/gm)].map(([, field]) => snake(String(field))).sort())
}

t.test('the examples of the page about Rust are of the worlds', async (t) => {
  const text = readFileSync(join(ROOT, 'docs/write-in-rust.md'), 'utf8')
  const examples = [...text.matchAll(/^```rust\n\/\/ src\/lib\.rs\n(.*?)^```/gms)].map(([, example]) => String(example))
  t.equal(examples.length, 2)
  for (const [i, world] of (['http', 'transform'] as const).entries()) checkRustSource(t, examples[i] ?? '', world)
})
