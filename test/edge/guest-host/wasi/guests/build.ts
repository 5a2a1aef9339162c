import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { $init, generate } from '@bytecodealliance/jco-transpile/component'
import { componentize } from 'componentize-qjs'
import { buildComponent } from '../../../../support/guests/build-wat.ts'

const read = (path: string) => readFile(new URL(path, import.meta.url), 'utf8')

/** All of WASI 0.2.12, as packages of one text. */
export const readWasiPackages = (): Promise<string> => read('wasi.wit')

/** `everything.js` as a component that imports all of wasi:cli/imports, which is WASI but HTTP. */
export async function buildEverything(): Promise<Uint8Array> {
  const packages = await readWasiPackages()
  // What it would be built against calls another type an error than this does, which its tool does not see to be one.
  const withoutHttp = packages.slice(0, packages.indexOf('package wasi:http'))
  const world = (await read('../../../../../edge/components/wit/http.wit')).replace(/^package (.*);$/m, 'package $1 {')
  const guest = 'world guest { include wasi:cli/imports@0.2.12; export makiatto:http/handler@0.1.0; }'
  const folder = await mkdtemp(join(tmpdir(), 'maki-wasi-'))
  try {
    const witPath = join(folder, 'guest.wit')
    await writeFile(witPath, ['package test:everything;', guest, world, '}', withoutHttp].join('\n'))
    const jsSource = await read('everything.js')
    const { component } = await componentize({ witPath, jsSource, world: 'guest', sync: true, optSize: true })
    return component
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** `fetch.wat` as a component: it sends a request. */
export async function buildFetch(): Promise<Uint8Array> {
  const prelude = await read('../../../../support/guests/wat/prelude.wat')
  const text = (await read('fetch.wat')).replace(';;; prelude', () => prelude)
  const imports = ['types', 'outgoing-handler'].map((name) => `import wasi:http/${name}@0.2.12;`).join('\n')
  return await buildComponent(text, 'http', { imports, packages: await readWasiPackages() })
}

/** A response of a guest, as the glue gives it. */
export interface GivenResponse {
  readonly status: number
  readonly headers: [string, string][]
  readonly body: Uint8Array | undefined
}

/** Runs a GET for a path in an instance of its own. */
export type RunGuest = (wasi: object, path: string) => GivenResponse

type Instantiate = (
  getModule: (name: string) => WebAssembly.Module,
  imports: object,
) => { handler: { handleRequest(context: object, request: object): GivenResponse } }

/** A component of the world of functions, ready to be run in this process: for guests that a test wrote itself. */
export async function loadGuest(component: Uint8Array): Promise<RunGuest> {
  await $init
  const { files } = generate(component, {
    name: 'glue',
    instantiation: { tag: 'sync' },
    noTypescript: true,
    noNodejsCompat: true,
    base64Cutoff: 0,
    tlaCompat: false,
  })
  const glue = files.find(([name]) => name === 'glue.js')?.[1] ?? new Uint8Array(0)
  const modules = new Map(
    files
      .filter(([name]) => name.endsWith('.wasm'))
      .map(([name, bytes]) => [name, new WebAssembly.Module(Buffer.from(bytes))]),
  )
  const url = `data:text/javascript;base64,${Buffer.from(glue).toString('base64')}`
  const { instantiate } = (await import(url)) as { instantiate: Instantiate }
  return (wasi, path) => {
    const { handler } = instantiate((name) => modules.get(name) as WebAssembly.Module, wasi)
    const request = { method: 'get', path, query: undefined, headers: [], body: undefined }
    return handler.handleRequest({ name: 'here', latitude: 1, longitude: 2 }, request)
  }
}
