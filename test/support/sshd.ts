import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { Child } from './child.ts'
import { eventually } from './eventually.ts'
import { findFreePorts } from './free-ports.ts'

export interface SshdOptions {
  /** Lines of sshd_config before the usual ones; of two the first counts. */
  readonly config?: readonly string[]
  /** Kinds of host keys. */
  readonly hostKeys?: readonly string[]
}

/** Debian's sshd on 127.0.0.1 with keys of its own, as root; all of it is gone with the test. */
export class Sshd implements AsyncDisposable {
  readonly folder: string
  readonly port: number
  readonly #child: Child

  private constructor(folder: string, port: number, child: Child) {
    this.folder = folder
    this.port = port
    this.#child = child
  }

  static async start({ config = [], hostKeys = ['ed25519'] }: SshdOptions = {}): Promise<Sshd> {
    const folder = mkdtempSync(join(tmpdir(), 'maki-sshd-'))
    const port = await findFreePorts([0])
    for (const type of hostKeys) makeKey(join(folder, `host_${type}`), { type })
    writeFileSync(join(folder, 'authorized_keys'), '')
    const lines = [
      ...config,
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      ...hostKeys.map((type) => `HostKey ${folder}/host_${type}`),
      `AuthorizedKeysFile ${folder}/authorized_keys`,
      'StrictModes no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin yes',
      'UsePAM no',
      'PidFile none',
    ]
    writeFileSync(join(folder, 'sshd_config'), `${lines.join('\n')}\n`)
    // In a view of its own of the places where a server has makiatto: FOLDER/run is /run, FOLDER/bin is /usr/local/bin. And
    // root has an empty home: what shells begin with on this computer is nothing to cut off in the middle.
    for (const name of ['run', 'run/sshd', 'run/makiatto', 'bin', 'home'])
      mkdirSync(join(folder, name), { mode: 0o755 })
    chmodSync(folder, 0o755)
    const view = `set -e
mount --bind "$0/run" /run
mount --bind "$0/bin" /usr/local/bin
mount --bind "$0/home" "$1"
exec /usr/sbin/sshd -D -e -f "$0/sshd_config"`
    const unshare = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', view, folder, userInfo().homedir]
    const child = new Child('setpriv', ['--pdeathsig', 'KILL', ...unshare])
    const sshd = new Sshd(folder, port, child)
    try {
      await eventually('sshd to listen', async () => ((await canConnect(port)) ? true : undefined))
      return sshd
    } catch (error) {
      await sshd[Symbol.asyncDispose]()
      throw error
    }
  }

  get output(): string {
    return this.#child.output
  }

  /** Where a client puts its socket in place of the daemon's. */
  get controlSocket(): string {
    return join(this.folder, 'run', 'makiatto', 'control.sock')
  }

  /** As a profile has it. */
  hostKey(type = 'ed25519'): string {
    return readFileSync(join(this.folder, `host_${type}.pub`), 'utf8')
      .split(' ')
      .slice(0, 2)
      .join(' ')
  }

  /** Lets in who has one of these public keys; each a line of authorized_keys. */
  allow(...lines: readonly string[]): void {
    writeFileSync(join(this.folder, 'authorized_keys'), `${lines.join('\n')}\n`)
  }

  /** Of processes that serve connections, as the kernel numbers them. */
  sessions(): number[] {
    const all = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' })
    const rows = all
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/).map(Number))
    const found = [this.#child.pid]
    for (const parent of found)
      for (const [pid, ppid] of rows) if (ppid === parent && pid !== undefined) found.push(pid)
    return found.slice(1)
  }

  /** Cuts all connections. */
  cut(): void {
    for (const pid of this.sessions()) signal(pid, 'SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    await this.#child[Symbol.asyncDispose]()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** A signal for a process that may be gone. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // Gone already.
  }
}

/** Makes a pair of keys; resolves with the line for authorized_keys. */
export function makeKey(
  file: string,
  { type = 'ed25519', passphrase = '', format }: { type?: string; passphrase?: string; format?: string } = {},
): string {
  const size = type === 'rsa' ? ['-b', '2048'] : []
  const form = format === undefined ? [] : ['-m', format]
  execFileSync('ssh-keygen', ['-q', '-t', type, ...size, ...form, '-N', passphrase, '-C', '', '-f', file])
  chmodSync(file, 0o600)
  return readFileSync(`${file}.pub`, 'utf8').trim()
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      done(true)
    })
    socket.once('error', () => done(false))
  })
}
