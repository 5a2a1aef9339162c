import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, type Scene } from './scene.ts'

/** A published package whose files make a site. */
export interface SitePackage {
  readonly name: string
  readonly version: string
  /** Of the packed file, as npm writes it: another file under the same version is refused. */
  readonly integrity: string
}

export const SWAGGER: SitePackage = {
  name: 'swagger-ui-dist',
  version: '5.35.0',
  integrity: 'sha512-U06rpMtW9V3XPGOBeamTUSr0Z09jMX4IJuANpE/EZbAhw0G8CgwrzU4YmXkn/h0wCDNsXdGarTNNHC3sU8yVUQ==',
}
export const THREE: SitePackage = {
  name: 'three',
  version: '0.187.0',
  integrity: 'sha512-Qiu7R+Cmh8CstZsY1uJOSWnVlfo7ZtNLV7mF8Jltk3LB3AtDu9cRZlcnRKkAk8Y4z6KKw35z7Y7Urd7jWY8etA==',
}

/** Packed files are fetched once for a checkout; what is not there comes by npm, from wherever npm is told to look. */
const CACHE = join(ROOT, 'node_modules', '.cache', 'makiatto-e2e')

/** Unpacks a package; the folder of its files. Throws when it cannot be fetched, or is not the file that is meant. */
export async function unpackPackage(scene: Scene, { name, version, integrity }: SitePackage): Promise<string> {
  const packed = join(CACHE, `${name.replace(/^@/, '').replace('/', '-')}-${version}.tgz`)
  if (!existsSync(packed) || !isIntact(packed, integrity)) {
    const fetched = scene.path(`packed-${process.pid}`)
    mkdirSync(fetched)
    const args = ['pack', `${name}@${version}`, '--prefer-offline', '--silent', '--pack-destination', fetched]
    const { code, stdout, stderr } = await scene.run('npm', args, { env: { HOME: process.env.HOME } })
    if (code !== 0) throw new Error(`npm could not fetch ${name}@${version}: ${stderr}`)
    const file = join(fetched, stdout.trim().split('\n').at(-1) ?? '')
    if (!isIntact(file, integrity)) throw new Error(`${name}@${version} is not the file that is meant`)
    mkdirSync(CACHE, { recursive: true })
    // Copied beside and renamed, so that another test never reads half of it.
    const copied = await scene.run('cp', [file, `${packed}.${process.pid}`])
    if (copied.code !== 0) throw new Error(copied.stderr)
    renameSync(`${packed}.${process.pid}`, packed)
    rmSync(fetched, { recursive: true })
  }
  const folder = scene.path('sites', name)
  mkdirSync(folder, { recursive: true })
  const unpacked = await scene.run('tar', ['-xzf', packed, '-C', folder, '--strip-components=1'])
  if (unpacked.code !== 0) throw new Error(unpacked.stderr)
  return folder
}

function isIntact(file: string, integrity: string): boolean {
  return `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}` === integrity
}
