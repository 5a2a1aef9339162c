import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { Bundle } from '../../../cli/bundle/index.ts'
import { SCHEMA } from '../../../core/index.ts'
import type { Scene } from './scene.ts'

export interface OtherBundle {
  readonly file: string
  readonly sha256: string
}

/** The same program under another name: packed anew, the archive is another one. */
export async function makeOtherBundle(scene: Scene, bundle: Bundle): Promise<OtherBundle> {
  return write(scene, 'other', gzipSync(gunzipSync(readFileSync(bundle.file)), { level: 1 }))
}

/** A program whose daemon does not start: it throws before it has read anything. */
export function makeBrokenBundle(scene: Scene, bundle: Bundle): Promise<OtherBundle> {
  const broken = (text: string): string => `throw new Error('this version is broken')\n${text}`
  return repack(scene, bundle, 'broken', 'run-daemon.js', broken)
}

/** A program from before the newest schema: what is written in that it does not know, and it announces the one before. */
export function makeOlderBundle(scene: Scene, bundle: Bundle): Promise<OtherBundle> {
  return repack(scene, bundle, 'older', 'changes.js', (text) => {
    const older = text.replace(/\bSCHEMA = \d+;/, `SCHEMA = ${SCHEMA - 1};`)
    if (older === text) throw new Error('the schema is said in another way')
    return older
  })
}

/** The archive with another text in the one file of that name. */
async function repack(
  scene: Scene,
  bundle: Bundle,
  name: string,
  file: string,
  edit: (text: string) => string,
): Promise<OtherBundle> {
  const folder = scene.path(name)
  mkdirSync(folder)
  const unpacked = await scene.run('tar', ['-xzf', bundle.file, '-C', folder])
  if (unpacked.code !== 0) throw new Error(unpacked.stderr)
  const { stdout } = await scene.run('find', [folder, '-name', file, '-not', '-path', '*/node_modules/*'])
  const found = stdout.trim().split('\n')
  if (found.length !== 1 || found[0] === '') throw new Error(`${file} is there ${found.length} times: ${stdout}`)
  const [path] = found as [string]
  writeFileSync(path, edit(readFileSync(path, 'utf8')))
  const packed = scene.path(`${name}.tar`)
  const script = 'cd "$1" && tar --format=posix --sort=name --owner=0 --group=0 --mtime=@0 -cf "$2" *'
  const tar = await scene.run('sh', ['-c', script, 'sh', folder, packed])
  if (tar.code !== 0) throw new Error(tar.stderr)
  return write(scene, name, gzipSync(readFileSync(packed), { level: 1 }))
}

function write(scene: Scene, name: string, content: Uint8Array): OtherBundle {
  const file = join(scene.folder, `${name}.tar.gz`)
  writeFileSync(file, content)
  return { file, sha256: createHash('sha256').update(content).digest('hex') }
}
