import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Outcome, Scene } from './scene.ts'

/** What a laptop is made from: a profile of the cluster, and its recovery key where the owner has it at hand. */
export interface LaptopParts {
  readonly profile: string
  /** The first operator's computer, whose data lie where the profile says; any other begins without key and copy. */
  readonly isOwner?: boolean
  readonly recoveryKey?: string
}

/**
 * A computer of somebody who works with the cluster: a home of its own with the profile in its usual place, and `maki` in
 * the path. Nothing but what is public was copied from another one.
 */
export class Laptop {
  readonly home: string
  /** The usual place of the profile below the home. */
  readonly profile: string
  readonly env: NodeJS.ProcessEnv
  readonly #scene: Scene

  constructor(scene: Scene, name: string, { profile, isOwner = false, recoveryKey }: LaptopParts) {
    this.#scene = scene
    this.home = scene.path('laptops', name)
    this.profile = join(this.home, '.config', 'makiatto', 'default.toml')
    mkdirSync(dirname(this.profile), { recursive: true })
    writeFileSync(this.profile, placeProfile(profile, isOwner))
    if (recoveryKey !== undefined) {
      mkdirSync(join(this.home, 'stick'))
      copyFileSync(recoveryKey, join(this.home, 'stick', 'recovery.key'))
    }
    this.env = {
      ...scene.env,
      HOME: this.home,
      PATH: `${BIN}:${scene.env.PATH}`,
      // Each home would compile all modules again otherwise.
      NODE_COMPILE_CACHE: scene.compiled,
    }
  }

  path(...parts: string[]): string {
    return join(this.home, ...parts)
  }

  maki(args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Promise<Outcome> {
    return this.#scene.maki(args, { cwd: options.cwd ?? this.home, env: { ...this.env, ...options.env } })
  }
}

const BIN = join(import.meta.dirname, '..', '..', '..', 'cli', 'bin')

/** The profile as it reads in another folder: its relative paths made absolute, and the data where it is for everybody. */
function placeProfile(file: string, isOwner: boolean): string {
  const folder = dirname(file)
  return readFileSync(file, 'utf8')
    .replace(/^control = "(?!\/)(.*)"$/gm, (_, path: string) => `control = ${JSON.stringify(join(folder, path))}`)
    .replace(/^data = "(.*)"\n/m, (_, path: string) =>
      isOwner ? `data = ${JSON.stringify(join(folder, path))}\n` : '',
    )
}
