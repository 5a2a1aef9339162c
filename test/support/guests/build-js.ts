import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { buildBindings } from '../../../cli/wasm/index.ts'

/** Guests that lie in `js/`. The first word of a name is the world. */
export const JS_GUESTS = [
  'http-hello',
  'http-echo',
  'http-spin',
  'http-throw',
  'http-print',
  'http-env',
  'http-site',
  'http-fetch',
  'http-count',
  'transform-banner',
  'transform-throw',
] as const

/** One of `JS_GUESTS`. */
export type JsGuestName = (typeof JS_GUESTS)[number]

const require = createRequire(import.meta.url)
const version: string = require('componentize-qjs/package.json').version
/** Components are the same for the same text, WIT and tool; they are kept, since each takes seconds to build. */
const CACHE = join(tmpdir(), 'makiatto-test-guests')
const built = new Map<string, Promise<Uint8Array>>()

/** A component of a guest of `js/`. */
export async function buildJsGuest(name: JsGuestName): Promise<Uint8Array> {
  const source = await readFile(new URL(`./js/${name}.js`, import.meta.url), 'utf8')
  return await buildJs(source, name.startsWith('transform-') ? 'transform' : 'http')
}

/**
 * A component from JavaScript, by componentize-qjs: an ES module that exports `handler` or `transformer`, and may import
 * `./makiatto.js`, which is that of `maki wasm new`, and `./fetch.js`, which sends requests. Built once for a content on this computer.
 */
export function buildJs(source: string, world: 'http' | 'transform'): Promise<Uint8Array> {
  const bindings = source.includes("'./fetch.js'") ? addFetch(buildBindings(world)) : buildBindings(world)
  const hash = createHash('sha256')
    .update(JSON.stringify([version, source, ...bindings]))
    .digest('hex')
  let building = built.get(hash)
  if (building === undefined) {
    building = build(source, bindings, join(CACHE, `${hash}.wasm`))
    built.set(hash, building)
  }
  return building
}

async function build(source: string, bindings: ReadonlyMap<string, string>, kept: string): Promise<Uint8Array> {
  const found = await readFile(kept).catch(() => undefined)
  if (found !== undefined) return found
  await mkdir(CACHE, { recursive: true })
  const folder = await mkdtemp(join(CACHE, 'build-'))
  try {
    for (const [path, text] of [...bindings, ['src/index.js', source] as const]) {
      await mkdir(dirname(join(folder, path)), { recursive: true })
      await writeFile(join(folder, path), text)
    }
    const { componentize } = await import('componentize-qjs')
    const jsPath = join(folder, 'src/index.js')
    const options = { witPath: join(folder, 'wit'), jsSource: source, jsPath, moduleRoot: join(folder, 'src') }
    const { component } = await componentize({ ...options, sync: true })
    takeRealNames(component)
    await writeFile(join(folder, 'built.wasm'), component)
    await rename(join(folder, 'built.wasm'), kept)
    return component
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * The program that runs a guest while it is built offers `wasi:io`, but no `wasi:http` that fits to it, and refuses a guest
 * that imports it. So both have another name until it was built, of the same length, and another version after.
 */
function addFetch(bindings: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const io = bindings.get('wit/deps/wasi-io.wit') as string
  const world = bindings.get('wit/world.wit') as string
  const imports = 'import wasj:http/types@0.2.4;\n    import wasj:http/outgoing-handler@0.2.4;'
  const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')
  return new Map([
    ...bindings,
    ['src/fetch.js', read('./js/fetch.js')],
    ['wit/deps/wasj-http.wit', read('./wit/wasi-http.wit')],
    ['wit/deps/wasj-io.wit', io.replaceAll('wasi:io@0.2.3', 'wasj:io@0.2.4')],
    ['wit/world.wit', world.replace('include ', `${imports}\n    include `)],
  ])
}

function takeRealNames(component: Buffer): void {
  for (let at = component.indexOf('wasj:'); at !== -1; at = component.indexOf('wasj:', at)) component.write('wasi:', at)
}
