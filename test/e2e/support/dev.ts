import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Child } from '../../support/child.ts'
import { MAKI, type Outcome, type Scene } from './scene.ts'

/** A node as `maki dev --json` announces it. */
export interface DevNode {
  readonly name: string
  readonly http: string
  readonly dns: string
  readonly control: string
}

/** `maki dev` with three nodes, ready, in the ports of a scene. */
export class Dev implements AsyncDisposable {
  readonly child: Child
  readonly profile: string
  readonly nodes: readonly DevNode[]
  readonly #scene: Scene
  readonly #data: string

  private constructor(scene: Scene, child: Child, data: string, ready: { profile: string; nodes: readonly DevNode[] }) {
    this.#scene = scene
    this.#data = data
    this.child = child
    this.profile = ready.profile
    this.nodes = ready.nodes
  }

  /** `project` is a folder with a makiatto.toml. Rejects with all output when it does not become ready. */
  static async start(scene: Scene, project: string, data = scene.path('data')): Promise<Dev> {
    const child = new Child(MAKI, devArguments(scene, project, data), { cwd: scene.folder, env: scene.env })
    try {
      const ready = JSON.parse(await child.waitForLine(isEvent('ready'))) as { profile: string; nodes: DevNode[] }
      return new Dev(scene, child, data, ready)
    } catch (error) {
      await child[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Where new lines will stand. */
  get mark(): number {
    return this.child.lines.length
  }

  /** The next event of that name from a mark on, that has the given text in it. */
  async event(name: string, from = 0, text = ''): Promise<string> {
    const isIt = isEvent(name)
    return this.child.waitForLine((line) => isIt(line) && line.includes(text), from)
  }

  /** Runs `maki` with the profile of this cluster. */
  maki(args: readonly string[], options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {}) {
    return this.#scene.maki(args, { ...options, env: { MAKIATTO_PROFILE: this.profile, ...options.env } })
  }

  /** The process of a node, by its own log: the one that said last that it is ready. */
  pidOf(name: string): number {
    const lines = readFileSync(join(this.#data, name, 'node.log'), 'utf8').split('\n')
    const line = lines.findLast((text) => text.includes('"event":"node.ready"'))
    return (JSON.parse(line ?? '{}') as { pid: number }).pid
  }

  /** Kills a node with -9 and resolves when it listens again. */
  async killNode(name: string): Promise<void> {
    const from = this.mark
    process.kill(this.pidOf(name), 'SIGKILL')
    await this.event('node-died', from, `"${name}"`)
    await this.event('node-recovered', from, `"${name}"`)
  }

  /** As Ctrl-C does. */
  async stop(): Promise<{ code: number | null }> {
    this.child.kill('SIGINT')
    return await this.child.ended
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.child[Symbol.asyncDispose]()
  }
}

export function devArguments(scene: Scene, project: string, data: string): string[] {
  const ports = ['--http-port', String(scene.httpPort), '--dns-port', String(scene.dnsPort)]
  return ['dev', project, '--json', '--data', data, ...ports]
}

/** True for the text that `maki … --json` printed when it succeeded, and with what. */
export function parseJson<T>({ code, stdout, stderr }: Outcome): T {
  if (code !== 0 && code !== 1) throw new Error(`maki ended with ${code}:\n${stdout}${stderr}`)
  return JSON.parse(stdout) as T
}

const isEvent = (name: string) => (line: string) => line.startsWith(`{"event":"${name}"`)
