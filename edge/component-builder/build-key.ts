import { createHash } from 'node:crypto'
import { readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** To be raised whenever what is inspected, how it is generated or how it is kept becomes another. */
const BUILD_FORMAT = 1

/** The folder of jco's generator. */
export function generatorFolder(): string {
  const door = createRequire(import.meta.url).resolve('@bytecodealliance/jco-transpile/component')
  return dirname(dirname(realpathSync(door)))
}

/** Another for every way of making components ready: what was made under one is not used under the next. 12 hexadecimal digits. */
export function readBuildKey(): string {
  const { version }: { version: string } = JSON.parse(readFileSync(join(generatorFolder(), 'package.json'), 'utf8'))
  return createHash('sha256').update(`${BUILD_FORMAT} ${version}`).digest('hex').slice(0, 12)
}
