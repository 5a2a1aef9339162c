import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Child } from '../../support/child.ts'
import { eventually } from '../../support/eventually.ts'

const run = promisify(execFile)
const SCRIPT = join(import.meta.dirname, 'booted-hosts.sh')
const BASE_SCRIPT = join(import.meta.dirname, 'booted-base.sh')
/** This checkout, which every host sees where it lies, and cannot write to. */
export const CHECKOUT: string = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))

/** What servers begin with: see booted-base.sh. */
export type HostKind = 'node' | 'bare'

export interface BootOptions {
  /** `node` sees this checkout; `bare` has nothing of ours. */
  readonly kind?: HostKind
  /** A folder of this machine, without spaces, that all of them may write to. */
  readonly shared?: string
  /** A file of public SSH keys that let in every user who has a home. */
  readonly keys?: string
}

/** A server: Debian, booted with systemd, in namespaces of its own. */
export class BootedHost {
  readonly name: string
  readonly ipv4: string
  readonly ipv6: string
  /** Its root, as it looks from the namespaces of the switch. */
  readonly #folder: string
  readonly #hosts: BootedHosts
  readonly #number: number

  constructor(name: string, number: number, hosts: BootedHosts) {
    this.name = name
    this.ipv4 = `198.51.100.${10 + number}`
    this.ipv6 = `2001:db8:51::${(10 + number).toString(16)}`
    this.#folder = join(hosts.folder, name)
    this.#hosts = hosts
    this.#number = number
  }

  /** The root filesystem that it began with, on this machine. */
  get base(): string {
    return this.#hosts.base
  }

  /** Stands before a command that is to run in the host, as root. */
  get wrapper(): readonly string[] {
    const pid = this.#leader()
    if (pid === undefined) throw new Error(`${this.name} is off`)
    return ['nsenter', '-t', String(pid), '-m', '-u', '-i', '-n', '-p', '-C', '--root', '--wd=/', '--']
  }

  /** Standard output of a command; rejects when it fails, with all that it said. */
  async run(...command: readonly string[]): Promise<string> {
    const [program, ...args] = [...this.wrapper, ...command]
    const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' }
    return (await run(program as string, args, { env, maxBuffer: 64 * 1024 * 1024 })).stdout
  }

  async write(path: string, content: string | Uint8Array, mode = '644'): Promise<void> {
    const base64 = Buffer.from(content).toString('base64')
    await this.run(
      'sh',
      '-c',
      `mkdir -p "$(dirname ${path})" && printf %s ${base64} | base64 -d > ${path} && chmod ${mode} ${path}`,
    )
  }

  /** Reads the whole of a file; rejects where there is none. */
  async read(path: string): Promise<string> {
    return await this.run('cat', path)
  }

  /** Resolves when systemd says that all is up; rejects with what failed. */
  async ready(): Promise<void> {
    await eventually(`${this.name} to boot`, async () => {
      if (this.#leader() === undefined) return undefined
      const state = await this.run('sh', '-c', 'systemctl is-system-running || true').catch(() => '')
      if (state.trim() === 'degraded') throw new Error(await this.run('systemctl', '--failed', '--no-legend'))
      return state.trim() === 'running' ? true : undefined
    })
  }

  /** Pulls the plug. */
  async powerOff(): Promise<void> {
    const pid = this.#leader()
    if (pid !== undefined) process.kill(pid, 'SIGKILL')
    await eventually(`${this.name} to be off`, async () => (this.#leader() === undefined ? true : undefined))
  }

  /** Boots the same disk again. */
  async powerOn(): Promise<void> {
    this.#hosts.boot(this.name, this.#number)
    await this.ready()
  }

  /** As a person does it; resolves when all is up again. */
  async reboot(): Promise<void> {
    const before = this.#leader()
    // It is cut off by what it asks for.
    await this.run('systemctl', 'reboot').catch(() => {})
    await eventually(`${this.name} to go down`, () => (this.#leader() === before ? undefined : true))
    await this.ready()
  }

  /** Process 1 of the host, as this machine numbers it. */
  #leader(): number | undefined {
    for (const pid of this.#hosts.processes()) {
      const args = readWords(pid, 'cmdline')
      if (!args[0]?.endsWith('systemd-nspawn') || !args.includes(`--directory=${this.#folder}/root`)) continue
      const [child] = childrenOf(pid)
      if (child !== undefined) return child
    }
    return undefined
  }
}

/**
 * Servers that boot in about a second, on a switch of their own. Needs root on Debian. All of it, disks too, ends with the
 * test's process.
 */
export class BootedHosts implements AsyncDisposable {
  readonly folder: string
  /** The root filesystem that all of them began with, on this machine. */
  readonly base: string
  readonly #keeper: Child
  readonly #hosts = new Map<string, BootedHost>()
  readonly #boots: Child[] = []

  private constructor(folder: string, base: string, keeper: Child) {
    this.folder = folder
    this.base = base
    this.#keeper = keeper
  }

  /** All of them have booted. A path in place of options is the shared folder. */
  static async open(names: readonly string[], options: BootOptions | string = {}): Promise<BootedHosts> {
    const { kind = 'node', shared, keys = '' } = typeof options === 'string' ? { shared: options } : options
    const base = await makeBase(kind)
    const folder = mkdtempSync(join(tmpdir(), 'maki-hosts-'))
    const binds = [
      ...(kind === 'node' ? [`--bind-ro=${CHECKOUT}`] : []),
      ...(shared === undefined ? [] : [`--bind=${shared}`]),
    ].join(' ')
    const unshare = ['--mount', '--net', '--pid', '--fork', '--kill-child=SIGKILL', '--mount-proc']
    const keeper = new Child('setpriv', [
      '--pdeathsig',
      'KILL',
      'unshare',
      ...unshare,
      SCRIPT,
      'keep',
      folder,
      keys,
      ...names.flatMap((name) => [name, base, binds]),
    ])
    const hosts = new BootedHosts(folder, base, keeper)
    try {
      await keeper.waitForLine((line) => line === 'ready')
      for (const [i, name] of names.entries()) hosts.#hosts.set(name, new BootedHost(name, i + 1, hosts))
      await Promise.all([...hosts.#hosts.values()].map((host) => host.ready()))
      return hosts
    } catch (error) {
      await hosts[Symbol.asyncDispose]()
      throw error
    }
  }

  host(name: string): BootedHost {
    const host = this.#hosts.get(name)
    if (host === undefined) throw new Error(`there is no host ${name}`)
    return host
  }

  /** Stands before a command of this machine that is to run at the switch, from where all hosts are reached. */
  get wrapper(): readonly string[] {
    return ['nsenter', '-t', String(this.#keeperPid()), '-m', '-n', '-p', `--wd=${process.cwd()}`, '--']
  }

  /** Standard output of a command of this machine, at the switch. */
  async run(...command: readonly string[]): Promise<string> {
    const [program, ...args] = [...this.wrapper, ...command]
    return (await run(program as string, args, { maxBuffer: 64 * 1024 * 1024 })).stdout
  }

  /** A program of this machine that goes on, at the switch. */
  start(command: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Child {
    const [program, ...args] = [...this.wrapper, 'setpriv', '--pdeathsig', 'KILL', ...command]
    return new Child(program as string, args, options)
  }

  /** For hosts: starts one again. */
  boot(name: string, number: number): void {
    this.#boots.push(this.start([SCRIPT, 'boot', this.folder, name, String(number)]))
  }

  /** For hosts: the processes of these namespaces, as this machine numbers them. */
  processes(): number[] {
    const found = [this.#keeper, ...this.#boots].map(({ pid }) => pid)
    for (const pid of found) found.push(...childrenOf(pid))
    return found
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#keeper[Symbol.asyncDispose]()
    for (const boot of this.#boots) await boot[Symbol.asyncDispose]()
    rmSync(this.folder, { recursive: true, force: true })
    const group = `makiatto-test/${basename(this.folder)}`
    const trees = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].map((tree) => `${tree}/${group}`)
    await run('sh', ['-c', `find ${trees.join(' ')} -depth -type d -exec rmdir {} + 2>/dev/null || true`])
  }

  #keeperPid(): number {
    const [pid] = childrenOf(this.#keeper.pid)
    if (pid === undefined) throw new Error(`the hosts are gone:\n${this.#keeper.output}`)
    return pid
  }
}

/** Makes what hosts of a kind begin with, which takes half a minute, once on a machine and for each version of the script. */
async function makeBase(kind: HostKind): Promise<string> {
  const version = createHash('sha256').update(readFileSync(BASE_SCRIPT)).digest('hex').slice(0, 16)
  const base = join(tmpdir(), `makiatto-test-base-${kind}-${version}`)
  const make = `[ -d "$1" ] || "$2" "$3" "$1"`
  await run('flock', [`${base}.lock`, 'sh', '-c', make, 'sh', base, BASE_SCRIPT, kind], { maxBuffer: 16 * 1024 * 1024 })
  return base
}

/** By their own word: not every kernel lists the children of a process. */
export function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === parent)
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined
  }
}

function readWords(pid: number, file: 'cmdline'): string[] {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0')
  } catch {
    return []
  }
}
