import { createHash } from 'node:crypto'
import { globSync, mkdirSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { Child } from '../support/child.ts'
import { eventually } from '../support/eventually.ts'
import { buildWatGuest } from '../support/guests/build-wat.ts'
import { ROOT, Scene } from './support/scene.ts'

/** What `npm pack` makes, installed elsewhere: compiled JavaScript, without the checkout beside it. */

t.setTimeout(0)
const scene = await Scene.open()
t.teardown(() => scene[Symbol.asyncDispose]())
const clone = scene.path('makiatto')
const elsewhere = scene.path('elsewhere')
// npm with the settings and the cache of whoever runs the tests, and without those of the run around it.
const npmEnv = {
  ...Object.fromEntries(Object.keys(scene.env).flatMap((name) => (/^npm_/i.test(name) ? [[name, undefined]] : []))),
  HOME: process.env.HOME,
}
const bin = (name: string) => join(elsewhere, 'node_modules', '.bin', name)

t.test('the package is built from what is committed, and installed', { bail: true }, async (t) => {
  t.match(await scene.run('git', ['clone', '--quiet', ROOT, clone]), { code: 0 })
  const modules = join(ROOT, 'node_modules')
  const linked = await scene.run('cp', ['-a', '--link', modules, clone])
  if (linked.code !== 0) t.match(await scene.run('cp', ['-a', '--no-clobber', modules, clone]), { code: 0 })
  const packed = await scene.run('npm', ['pack', '--silent', '--pack-destination', scene.folder], {
    cwd: clone,
    env: npmEnv,
  })
  t.match(packed, { code: 0 })
  mkdirSync(elsewhere)
  writeFileSync(join(elsewhere, 'package.json'), '{ "private": true }\n')
  const tarball = scene.path(packed.stdout.trim().split('\n').at(-1) as string)
  const options = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']
  const installed = await scene.run('npm', ['install', ...options, tarball], { cwd: elsewhere, env: npmEnv })
  t.match(installed, { code: 0 }, installed.stderr)
})

t.test('nothing of the checkout is in it but what it needs', async (t) => {
  const { stdout } = await scene.run('find', ['.', '-type', 'f', '-not', '-path', './dist/*'], {
    cwd: join(elsewhere, 'node_modules', 'makiatto'),
  })
  const folders = new Set(
    stdout
      .trim()
      .split('\n')
      .map((path) => path.split('/').slice(1, -1).join('/')),
  )
  for (const folder of folders) t.match(folder, /^(|cli\/bin|docs|examples\/site(\/.*)?)$/, folder)
  const leaked = await scene.run('grep', ['-rlF', clone, 'dist'], { cwd: join(elsewhere, 'node_modules', 'makiatto') })
  t.equal(leaked.stdout, '', 'no path of the machine that built it')
})

t.test('both programs run', async (t) => {
  t.match(await scene.run(bin('maki'), ['--version']), { code: 0, stdout: /^maki \d+\.\d+\.\d+\n$/ })
  t.match(await scene.run(bin('makiatto'), ['--version']), { code: 0, stdout: /^makiatto \d+\.\d+\.\d+\n$/ })
  t.match(await scene.run(bin('maki'), ['--help']), { code: 0, stdout: /COMMANDS[\s\S]*sync/ })
  t.match(await scene.run(bin('maki'), ['record', 'set', '--help']), { code: 0, stdout: /EXAMPLES/ })
  for (const language of ['js', 'ts', 'rust'])
    t.match(
      await scene.run(bin('maki'), ['wasm', 'new', 'http', `in-${language}`, '--lang', language], {
        cwd: scene.folder,
      }),
      {
        code: 0,
        stdout: /^wrote \d+ files/,
      },
    )
})

t.test('a checkout is installed for everywhere as the README says', async (t) => {
  const prefix = scene.path('global')
  const installed = await scene.run('npm', ['install', '--global', '--prefix', prefix, '--loglevel=error', '.'], {
    cwd: clone,
    env: npmEnv,
  })
  t.match(installed, { code: 0 }, installed.stderr)
  const maki = await scene.run(join(prefix, 'bin', 'maki'), ['--version'], { cwd: scene.folder })
  t.match(maki, { code: 0, stdout: /^maki \d+\.\d+\.\d+\n$/ })
})

t.test('a cluster runs from it, in processes of its own', async (t) => {
  mkdirSync(join(elsewhere, 'site'))
  writeFileSync(join(elsewhere, 'site', 'index.html'), 'from the package')
  mkdirSync(join(elsewhere, 'site', 'api'))
  const component = await buildWatGuest('http-echo')
  writeFileSync(join(elsewhere, 'site', 'api', 'echo.wasm'), component)
  const functions = '[[domain.functions]]\npath = "api/echo.wasm"\n'
  writeFileSync(join(elsewhere, 'makiatto.toml'), `[[domain]]\nname = "pack.test"\npath = "site"\n${functions}`)
  const ports = ['--http-port', String(scene.httpPort), '--dns-port', String(scene.dnsPort)]
  await using dev = new Child(bin('maki'), ['dev', '--json', ...ports], { cwd: elsewhere, env: scene.env })
  await dev.waitForLine((line) => line.includes('"event":"ready"'))
  for (const i of [0, 1, 2]) t.equal(await get(scene.httpPort + i), '200 from the package')
  const hash = createHash('sha256').update(component).digest('hex')
  await eventually('every node to have made the component ready', () => {
    const made = globSync(`.makiatto/*/data/components/${hash}-*/glue.js`, { cwd: elsewhere })
    return made.length === 3 ? true : undefined
  })
  const profile = join(elsewhere, '.makiatto', 'profile.toml')
  const status = await scene.run(bin('maki'), ['--profile', profile, 'status', '--json'], { cwd: elsewhere })
  t.match(status, { code: 0, stdout: /"type": ?"country ipvAll"/ }, 'it knows where clients are')
  dev.kill('SIGINT')
  t.match(await dev.ended, { code: 130 })
})

t.test('nothing is left behind', async (t) => {
  t.strictSame(await scene.leftovers(), [])
})

function get(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port, path: '/', headers: { host: 'pack.test' }, agent: false },
      async (response) => {
        let body = ''
        for await (const chunk of response) body += chunk
        resolve(`${response.statusCode} ${body}`)
      },
    )
    asked.on('error', reject)
    asked.end()
  })
}
