import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import * as pem from '../support/certificates.ts'
import { eventually } from '../support/eventually.ts'
import { buildWatGuest } from '../support/guests/build-wat.ts'
import { Dev, parseJson } from './support/dev.ts'
import { Visitor } from './support/http.ts'
import { writeProject } from './support/project.ts'
import { Scene } from './support/scene.ts'
import { startWiretap } from './support/wiretap.ts'

/** Promise 7: nothing secret is stored or sent in clear, or appears in a log, a process list or a replica. */

t.setTimeout(0)

const HOST = 'secrets.test'
const TOKEN = 'marker-of-a-token-8c1f0a7be2'
const FROM_FILE = 'marker-of-an-env-file-51d9aa02'
const NEXT_TOKEN = 'marker-of-the-next-token-77ab01'
/** A line of the private key, and the bytes that it stands for. */
const KEY_LINE = pem.LEAF_KEY.split('\n')[1] as string
const MARKERS = [TOKEN, FROM_FILE, NEXT_TOKEN, KEY_LINE].flatMap((text) => [
  Buffer.from(text),
  Buffer.from(Buffer.from(text).toString('base64url').slice(0, -3)),
  Buffer.from(Buffer.from(text).toString('hex')),
])
MARKERS.push(Buffer.from(KEY_LINE, 'base64').subarray(4, 40))

const COMPONENT = await buildWatGuest('http-echo')
const functions = (token: string) =>
  `[[domain.functions]]\npath = "api/pay.wasm"\nmethods = ["POST"]\nenv = { TOKEN = "${token}" }\nenv_file = "pay.env"\n`

const holds = (bytes: Uint8Array, marker: Uint8Array): boolean => Buffer.from(bytes).includes(marker)

/** Files below a folder that have one of the markers in them. */
function searchFiles(folder: string, markers: readonly Uint8Array[] = MARKERS): string[] {
  const files = globSync('**/*', { cwd: folder, exclude: [] })
  const hidden = globSync('**/.*', { cwd: folder })
  return [...new Set([...files, ...hidden])].filter((file) => {
    const path = join(folder, file)
    if (!lstatSync(path, { throwIfNoEntry: false })?.isFile()) return false
    const bytes = readFileSync(path)
    return markers.some((marker) => holds(bytes, marker))
  })
}

/** Processes of the scene whose command line or environment has one of the markers in it. */
function searchProcesses(scene: Scene, markers: readonly Uint8Array[] = MARKERS): string[] {
  const mark = Buffer.from(scene.folder)
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name) && name !== String(process.pid))
    .filter((pid) => {
      const texts = ['environ', 'cmdline'].map((name) => readProc(`/proc/${pid}/${name}`))
      return texts.some((text) => holds(text, mark)) && texts.some((text) => markers.some((one) => holds(text, one)))
    })
}

function readProc(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch {
    return new Uint8Array(0)
  }
}

const scene = await Scene.open()
const shop = writeProject(scene.path('shop'), {
  domain: HOST,
  files: { 'index.html': 'shop', 'api/pay.wasm': COMPONENT },
  more: functions(TOKEN),
})
writeFileSync(join(shop, 'pay.env'), `PASSWORD='${FROM_FILE}'\n`)
const secrets = scene.path('given')
mkdirSync(secrets)
for (const [name, text] of Object.entries(pem)) writeFileSync(join(secrets, name), text)
const data = scene.path('data')
const dev = await Dev.start(scene, shop, data)
t.teardown(async () => {
  await dev[Symbol.asyncDispose]()
  await scene[Symbol.asyncDispose]()
})
const [first] = dev.nodes
const outputs: string[] = []
const sent: Buffer[] = []

t.test('a function with secrets is published, and a certificate imported', async (t) => {
  using visitor = new Visitor()
  const status = await eventually('the function on every node', async () => {
    const all = await Promise.all(dev.nodes.map(({ http }) => visitor.get(http, HOST, '/api/pay')))
    return all.every(({ status }) => status === 405) ? 405 : undefined
  })
  t.equal(status, 405, 'GET is not among its methods')
  const imported = await dev.maki(['cert', 'import', 'LEAF', 'INTERMEDIATE', '--private-key', 'LEAF_KEY', '--debug'], {
    cwd: secrets,
  })
  t.equal(imported.code, 0, imported.stderr)
  outputs.push(imported.stdout, imported.stderr)
})

t.test('another value is synced through a socket that is listened to', async (t) => {
  const tapped = scene.path('tap.sock')
  using tap = await startWiretap({ path: tapped }, { path: first!.control })
  const text = readFileSync(dev.profile, 'utf8')
  const profile = join(dirname(dev.profile), 'tapped.toml')
  writeFileSync(profile, text.replace(/^control = .*$/gm, `control = ${JSON.stringify(tapped)}`))
  writeFileSync(join(shop, 'makiatto.toml'), `[[domain]]\nname = "${HOST}"\npath = "public"\n${functions(NEXT_TOKEN)}`)
  const synced = await scene.maki(['sync', '--debug', '--wait', 'none', '--profile', profile], { cwd: shop })
  t.equal(synced.code, 0, synced.stderr)
  outputs.push(synced.stdout, synced.stderr)
  for (const command of [
    ['history', '--json'],
    ['cert', 'list', '--json'],
    ['cert', 'export', 'example.com'],
    ['status', '--json'],
  ]) {
    const { stdout, stderr } = await dev.maki(command)
    outputs.push(stdout, stderr)
  }
  rmSync(profile)
  sent.push(tap.heard())
  t.ok(holds(tap.heard(), Buffer.from('/v1/status')), 'what went through was heard')
  t.ok(tap.heard().length > 5000)
})

t.test('the search finds what is planted in clear', async (t) => {
  const planted = 'planted-marker-0f3b9d1c'
  const marker = [Buffer.from(planted)]
  const set = await dev.maki(['record', 'set', HOST, 'planted', 'TXT', planted])
  t.equal(set.code, 0, set.stderr)
  const found = await eventually('the planted text in the store of every node', () => {
    const files = searchFiles(data, marker)
    return dev.nodes.every(({ name }) => files.some((file) => file.startsWith(`${name}/`))) ? files : undefined
  })
  t.ok(found.length >= dev.nodes.length)
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
    env: { ...scene.env, PLANTED: planted },
    stdio: 'ignore',
  })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child, 'spawn')
  await eventually('the planted variable of a process', () =>
    searchProcesses(scene, marker).includes(String(child.pid)) ? true : undefined,
  )
  writeFileSync(join(data, 'planted'), pem.LEAF_KEY)
  t.same(searchFiles(data), ['planted'])
  rmSync(join(data, 'planted'))
})

t.test('no secret is in clear anywhere', async (t) => {
  t.same(searchFiles(data), [], 'data folders, replicas and logs')
  t.same(searchFiles(scene.path('home')), [], 'the home')
  t.same(searchFiles(scene.path('tmp')), [], 'temporary files')
  t.same(searchProcesses(scene), [], 'command lines and environments')
  const said = Buffer.from([...outputs, ...dev.child.lines].join('\n'))
  t.notOk(
    MARKERS.some((marker) => holds(said, marker)),
    'what was printed, --debug too',
  )
  const traffic = Buffer.concat(sent)
  t.notOk(
    MARKERS.some((marker) => holds(traffic, marker)),
    'what went through the control socket',
  )
  const { exposed } = parseJson<{ exposed: unknown[] }>(await dev.maki(['status', '--json']))
  t.same(exposed, [])
})

t.test('after a restart the nodes open everything again', async (t) => {
  const opened = () =>
    readFileSync(join(data, 'node1', 'node.log'), 'utf8').split('"event":"certificate.opened"').length - 1
  const before = opened()
  t.ok(before > 0)
  await dev.killNode('node1')
  await eventually('the certificate opened again', () => (opened() > before ? true : undefined))
  t.same(searchFiles(data), [])
})
