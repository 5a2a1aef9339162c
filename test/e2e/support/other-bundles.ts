import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { Bundle } from '../../../cli/bundle/index.ts'
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
export async function makeBrokenBundle(scene: Scene, bundle: Bundle): Promise<OtherBundle> {
  const folder = scene.path('broken')
  mkdirSync(folder)
  const unpacked = await scene.run('tar', ['-xzf', bundle.file, '-C', folder])
  if (unpacked.code !== 0) throw new Error(unpacked.stderr)
  const { stdout } = await scene.run('find', [folder, '-name', 'run-daemon.*', '-not', '-name', '*.map'])
  const [file = ''] = stdout.split('\n')
  writeFileSync(file, `throw new Error('this version is broken')\n${readFileSync(file, 'utf8')}`)
  const packed = scene.path('broken.tar')
  const script = 'cd "$1" && tar --format=posix --sort=name --owner=0 --group=0 --mtime=@0 -cf "$2" *'
  const tar = await scene.run('sh', ['-c', script, 'sh', folder, packed])
  if (tar.code !== 0) throw new Error(tar.stderr)
  return write(scene, 'broken', gzipSync(readFileSync(packed), { level: 1 }))
}

function write(scene: Scene, name: string, content: Uint8Array): OtherBundle {
  const file = join(scene.folder, `${name}.tar.gz`)
  writeFileSync(file, content)
  return { file, sha256: createHash('sha256').update(content).digest('hex') }
}
