import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child } from '../../support/child.ts'
import { eventually } from '../../support/eventually.ts'
import { type BootedHost, BootedHosts } from './booted-hosts.ts'
import { BreakableWay } from './breakable-way.ts'
import { MAKI, type Outcome, type Scene } from './scene.ts'

const LISTING = join(import.meta.dirname, 'server-listing.sh')
/** The switch's own address: resolver, proxies. */
export const SWITCH = '198.51.100.1'
/** What sudo asks of the user `ops`. */
export const OPS_PASSWORD = 'ops-password'
/** Kept from one file to the next: a bundle takes longer to make than all that is tested with it. */
export const TEST_CACHE: string = join(tmpdir(), 'makiatto-test-cache')

/** The users of a bare server: root; one with sudo, one with sudo and a password, one without. */
export type ServerUser = 'root' | 'admin' | 'ops' | 'plain'

export interface MakiOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
}

/** What a person types at a terminal whenever a question stands there. */
export interface TypedAnswer {
  readonly question: RegExp
  readonly text: string
}

/** The computer of an operator, at the switch: a home of its own, with an SSH key that the servers let in. */
export class Operator {
  readonly home: string
  readonly env: NodeJS.ProcessEnv
  readonly #hosts: BootedHosts
  readonly #scene: Scene

  constructor(scene: Scene, hosts: BootedHosts, name: string, key: string) {
    this.#scene = scene
    this.#hosts = hosts
    this.home = scene.path('operators', name)
    mkdirSync(join(this.home, '.ssh'), { recursive: true, mode: 0o700 })
    copyFileSync(key, join(this.home, '.ssh', 'id_ed25519'))
    copyFileSync(`${key}.pub`, join(this.home, '.ssh', 'id_ed25519.pub'))
    const { SSH_AUTH_SOCK, ...env } = scene.env
    this.env = {
      ...env,
      HOME: this.home,
      XDG_CACHE_HOME: TEST_CACHE,
      // Each home would compile all modules again otherwise.
      NODE_COMPILE_CACHE: scene.compiled,
    }
  }

  path(...parts: string[]): string {
    return join(this.home, ...parts)
  }

  /** The usual place of the profile. */
  get profile(): string {
    return this.path('.config', 'makiatto', 'default.toml')
  }

  /** Runs `maki` to its end, without a terminal. */
  maki(args: readonly string[], options: MakiOptions = {}): Promise<Outcome> {
    return this.run([MAKI, ...args], options)
  }

  /** Runs any command at the switch as this operator. */
  run(command: readonly string[], options: MakiOptions = {}): Promise<Outcome> {
    const [program, ...args] = this.#atSwitch(command, options)
    return this.#scene.run(program as string, args, { env: this.#envWith(options) })
  }

  /** Starts `maki` and gives its lines, of both streams, as they come. */
  start(args: readonly string[], options: MakiOptions = {}): Child {
    const [program, ...rest] = this.#atSwitch([MAKI, ...args], options)
    return new Child(program as string, rest, { env: this.#envWith(options) })
  }

  /** Runs `maki` at a terminal: what it prints is `stdout`, with what the terminal echoes. */
  async makiOnTerminal(
    args: readonly string[],
    answers: readonly TypedAnswer[],
    options: MakiOptions = {},
  ): Promise<Outcome> {
    const line = [MAKI, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
    // Made of no terminal, it has no size of its own.
    const typed = `stty cols 120 rows 40; exec ${line}`
    const [program, ...rest] = this.#atSwitch(['script', '-qefc', typed, '/dev/null'], options)
    const child: ChildProcessWithoutNullStreams = spawn(program as string, rest, {
      env: { ...this.#envWith(options), TERM: 'xterm' },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    let read = 0
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      stdout += piece
      for (const { question, text } of answers) {
        const met = question.exec(stdout.slice(read))
        if (met === null) continue
        read += met.index + met[0].length
        child.stdin.write(`${text}\r`)
      }
    })
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      stderr += piece
    })
    const code = await new Promise<number | null>((done, fail) => {
      child.once('error', fail)
      child.once('close', done)
    })
    return { code, stdout, stderr }
  }

  /** OpenSSH's own client, for looking at servers beside `maki`. */
  ssh(user: ServerUser, host: BootedHost, command: string): Promise<Outcome> {
    const known = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR']
    const key = ['-F', 'none', '-i', this.path('.ssh', 'id_ed25519'), '-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes']
    return this.run(['ssh', ...known, ...key, `${user}@${host.ipv4}`, command])
  }

  #atSwitch(command: readonly string[], { cwd = this.home }: MakiOptions): string[] {
    const words = this.#hosts.wrapper.map((word) => (word.startsWith('--wd=') ? `--wd=${cwd}` : word))
    return [...words, 'setpriv', '--pdeathsig', 'KILL', ...command]
  }

  #envWith({ env }: MakiOptions): NodeJS.ProcessEnv {
    return { ...this.env, ...env }
  }
}

/** Servers as a provider hands them over, a resolver for them, and operators at the switch. */
export class BareHosts implements AsyncDisposable {
  readonly hosts: BootedHosts
  /** The one whose key the servers know from the start. */
  readonly operator: Operator
  readonly #scene: Scene
  readonly #key: string
  readonly #owned = new AsyncDisposableStack()
  #nextPort = 2201

  private constructor(scene: Scene, hosts: BootedHosts, key: string) {
    this.#scene = scene
    this.hosts = hosts
    this.#key = key
    this.operator = this.addOperator('operator')
    this.#owned.use(hosts)
  }

  /** All of them have booted, and let the operator in. `names` also are names below `.test` that the resolver knows. */
  static async open(scene: Scene, names: readonly string[]): Promise<BareHosts> {
    const key = scene.path('id_ed25519')
    const made = await scene.run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'operator', '-f', key])
    if (made.code !== 0) throw new Error(made.stderr)
    const hosts = await BootedHosts.open(names, { kind: 'bare', keys: `${key}.pub` })
    const bare = new BareHosts(scene, hosts, key)
    try {
      await bare.#startResolver(names)
      for (const name of names) {
        await eventually(`sshd of ${name}`, async () => {
          const answer = await bare.operator.ssh('root', bare.host(name), 'true')
          return answer.code === 0 ? true : undefined
        })
      }
      return bare
    } catch (error) {
      await bare[Symbol.asyncDispose]()
      throw error
    }
  }

  host(name: string): BootedHost {
    return this.hosts.host(name)
  }

  /** Another computer, with the same SSH key and nothing of a cluster. */
  addOperator(name: string): Operator {
    return new Operator(this.#scene, this.hosts, name, this.#key)
  }

  /** A way to a host that can be cut; closed with the hosts. */
  async openWay(name: string): Promise<BreakableWay> {
    return this.#owned.use(await BreakableWay.open(this.hosts, this.host(name), this.#nextPort++))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync()
  }

  /** Knows `NAME.test` of every host, and says that there is nothing else. */
  async #startResolver(names: readonly string[]): Promise<void> {
    const records = names.flatMap((name) => {
      const { ipv4, ipv6 } = this.host(name)
      return [`local-data: "${name}.test. A ${ipv4}"`, `local-data: "${name}.test. AAAA ${ipv6}"`]
    })
    const config = this.#scene.path('resolver.conf')
    writeFileSync(
      config,
      `server:
  interface: ${SWITCH}
  access-control: 198.51.100.0/24 allow
  do-daemonize: no
  use-syslog: no
  chroot: ""
  username: ""
  pidfile: ""
  directory: "${this.#scene.folder}"
  module-config: "iterator"
  local-zone: "." static
  ${records.join('\n  ')}
remote-control:
  control-enable: no
`,
    )
    const resolver = this.#owned.use(this.hosts.start(['unbound', '-d', '-c', config]))
    await eventually('the resolver to answer', async () => {
      const [name] = names
      const answer = await this.hosts.run('dig', '+short', '+tries=1', '+time=1', `@${SWITCH}`, `${name}.test`)
      if (answer.trim() === '') throw new Error(resolver.output)
      return true
    })
  }
}

/** All that a server is made of, a fact a line: files, users, units, sockets, addresses, settings of the kernel. */
export async function listServer(host: BootedHost): Promise<readonly string[]> {
  const script = Buffer.from(readFileSync(LISTING)).toString('base64')
  const since = Math.floor(statSync(host.base).ctimeMs / 1000) + 1
  const listed = await host.run('sh', '-c', `echo ${script} | base64 -d | sh -s ${since}`)
  return listed
    .trimEnd()
    .split('\n')
    .filter((line) => !isAsInBase(host.base, line))
}

/** A file that was touched and holds the same as in the beginning is told of no more than one that never was. */
function isAsInBase(base: string, line: string): boolean {
  const [, hash, path] = /^content (\w+) +(\/.*)$/.exec(line) ?? []
  if (path === undefined || !existsSync(`${base}${path}`)) return false
  return (
    createHash('sha256')
      .update(readFileSync(`${base}${path}`))
      .digest('hex') === hash
  )
}

/** What is in one listing alone: `- ` before, `+ ` after. Empty when the server is as it was. */
export function compareListings(before: readonly string[], after: readonly string[]): string[] {
  const [old, now] = [new Set(before), new Set(after)]
  return [
    ...before.filter((line) => !now.has(line)).map((line) => `- ${line}`),
    ...after.filter((line) => !old.has(line)).map((line) => `+ ${line}`),
  ]
}

/** Switches systemd-resolved on, as most servers have it: its stub on port 53 of 127.0.0.53, in resolv.conf. */
export async function useResolved(host: BootedHost): Promise<void> {
  await host.write('/etc/systemd/resolved.conf.d/dns.conf', `[Resolve]\nDNS=${SWITCH}\n`)
  await host.run('ln', '-sf', '/run/systemd/resolve/stub-resolv.conf', '/etc/resolv.conf')
  await host.run('systemctl', 'enable', '--quiet', '--now', 'systemd-resolved')
  await eventually('names to resolve by the stub', async () =>
    (await host.run('getent', 'hosts', `${host.name}.test`)).includes(host.ipv6) ? true : undefined,
  )
}

/**
 * The clock of one host alone is off, for whoever asks `date`: namespaces share the kernel's, so the program lies in its
 * place, wherever the path finds it. Gone with the next boot.
 */
export async function shiftClock(host: BootedHost, seconds: number): Promise<void> {
  await host.run('cp', '/bin/date', '/run/true-date')
  const lie = `#!/bin/sh\nexec /run/true-date -d "@$(($(/run/true-date +%s) + ${seconds}))" "$@"\n`
  await host.write('/run/false-date', lie, '755')
  await host.run('mount', '--bind', '/run/false-date', '/bin/date')
}

/** The clock tells the truth again. */
export async function restoreClock(host: BootedHost): Promise<void> {
  await host.run('umount', '/bin/date')
}
