import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { componentize } from 'componentize-qjs'
import { readWasiPackages } from '../../guest-host/wasi/guests/build.ts'

const read = (path: string) => readFile(new URL(path, import.meta.url), 'utf8')

/** `dial.js` as a component, which imports wasi:sockets. */
export async function buildDial(): Promise<Uint8Array> {
  const packages = await readWasiPackages()
  const world = (await read('../../../../edge/components/wit/http.wit')).replace(/^package (.*);$/m, 'package $1 {')
  const imports = 'include wasi:cli/imports@0.2.12;'
  const guest = `package test:dial;\nworld guest { ${imports} export makiatto:http/handler@0.1.0; }`
  const folder = await mkdtemp(join(tmpdir(), 'maki-dial-'))
  try {
    const witPath = join(folder, 'guest.wit')
    // Without HTTP, which its tool does not know in this version.
    await writeFile(witPath, [guest, world, '}', packages.slice(0, packages.indexOf('package wasi:http'))].join('\n'))
    const jsSource = await read('dial.js')
    const { component } = await componentize({ witPath, jsSource, world: 'guest', sync: true, optSize: true })
    return component
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
