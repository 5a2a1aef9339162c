import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventually } from '../../support/eventually.ts'
import { findFreePorts } from '../../support/free-ports.ts'

/** The checkout that the tests belong to. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')
export const MAKI = join(ROOT, 'cli', 'bin', 'maki')

/** HTTP, then what `maki dev` puts at distances from it; DNS stands where none of them is. */
const DNS_OFFSET = 50
const NODES = [0, 1, 2] as const
const OFFSETS = [0, DNS_OFFSET, 200, 300].flatMap((offset) => NODES.map((i) => offset + i))
/** Every process that a scene starts, and whatever those start, has this variable: so that none is overlooked. */
const MARK = 'MAKIATTO_E2E_SCENE'

/** What a command left: exit code and both streams. */
export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
}

/**
 * The surroundings of one test file: a folder, a home, a temporary folder and ports that nobody else has. What the programs
 * under test leave in it can be told exactly, and is swept away whatever the test does.
 */
export class Scene implements AsyncDisposable {
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
  readonly httpPort: number
  readonly dnsPort: number

  private constructor(httpPort: number) {
    // Not tap's own folder: the path of a unix socket has room for 107 bytes only.
    this.folder = mkdtempSync(join(tmpdir(), 'maki-e2e-'))
    this.httpPort = httpPort
    this.dnsPort = httpPort + DNS_OFFSET
    for (const name of ['home', 'tmp']) mkdirSync(join(this.folder, name))
    const { MAKIATTO_PROFILE, MAKIATTO_KEY, XDG_RUNTIME_DIR, XDG_CONFIG_HOME, XDG_DATA_HOME, ...env } = process.env
    this.env = {
      ...env,
      HOME: join(this.folder, 'home'),
      TMPDIR: join(this.folder, 'tmp'),
      NO_COLOR: '1',
      [MARK]: this.folder,
    }
    // A file that ends by a crash or a time-out disposes nothing.
    process.once('exit', () => {
      for (const pid of this.#processes()) kill(pid)
      rmSync(this.folder, { recursive: true, force: true })
    })
  }

  static async open(): Promise<Scene> {
    return new Scene(await findFreePorts(OFFSETS))
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts)
  }

  /** Where Node keeps compiled modules: with those of the whole run, if there is one, so that none is compiled twice. */
  get compiled(): string {
    return process.env.NODE_COMPILE_CACHE ?? this.path('compiled')
  }

  /** Runs a command to its end. */
  run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return new Promise((done, fail) => {
      const child = spawn(command, args, {
        cwd: options.cwd ?? this.folder,
        env: { ...this.env, ...options.env },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const text = { stdout: '', stderr: '' }
      for (const name of ['stdout', 'stderr'] as const) {
        child[name].setEncoding('utf8').on('data', (piece: string) => {
          text[name] += piece
        })
      }
      child.once('error', fail)
      child.once('close', (code) => done({ code, ...text }))
    })
  }

  maki(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return this.run(MAKI, args, options)
  }

  /** What programs have left: processes, listening sockets, files in the temporary folder. Empty when all is well. */
  async leftovers(): Promise<string[]> {
    // A process that was told to end may need a moment to be gone.
    const processes = await eventually(
      'the end of all processes',
      () => (this.#processes().length === 0 ? [] : undefined),
      {
        tries: 400,
      },
    ).catch(() => this.#processes().map((pid) => `process ${pid}: ${commandOf(pid)}`))
    // npm keeps compiled modules there where it runs on a Node that can.
    const names = readdirSync(this.path('tmp')).filter((name) => name !== 'node-compile-cache')
    const files = names.map((name) => `temporary file ${name}`)
    return [...processes, ...this.#sockets(), ...files]
  }

  /** Ends what still runs, by pid, and removes the folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of this.#processes()) kill(pid)
    await eventually('the end of killed processes', () => (this.#processes().length === 0 ? true : undefined))
    rmSync(this.folder, { recursive: true, force: true })
  }

  #processes(): number[] {
    const mark = `${MARK}=${this.folder}`
    return listPids().filter((pid) => readProc(`/proc/${pid}/environ`).split('\0').includes(mark))
  }

  /** In the ports of this scene, by the tables of the system; unix sockets by their path. */
  #sockets(): string[] {
    const ports = new Set(OFFSETS.map((offset) => this.httpPort + offset))
    const bound = [
      { table: 'tcp', state: '0A' },
      { table: 'tcp6', state: '0A' },
      { table: 'udp', state: '07' },
      { table: 'udp6', state: '07' },
    ].flatMap(({ table, state }) =>
      readProc(`/proc/net/${table}`)
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .filter((fields) => fields[3] === state && ports.has(Number.parseInt(fields[1]?.split(':')[1] ?? '', 16)))
        .map((fields) => `${table} socket on port ${Number.parseInt(fields[1]?.split(':')[1] ?? '', 16)}`),
    )
    const unix = readProc('/proc/net/unix')
      .split('\n')
      .filter((line) => line.includes(`${this.folder}/`))
      .map((line) => `unix socket ${line.slice(line.indexOf(this.folder))}`)
    return [...bound, ...unix]
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Kills one process that a test has started; silent when it is gone. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Gone already.
  }
}

function listPids(): number[] {
  if (!existsSync('/proc')) return []
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid)
}

const commandOf = (pid: number): string => readProc(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')

function readProc(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
