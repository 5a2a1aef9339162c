import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Journal } from '../../../cli/setup/journal.ts'
import type { ProgramOutcome } from '../../../cli/setup/run-program.ts'
import { createServer, openJournal, type Server, type Work } from '../../../cli/setup/server.ts'
import { systemRuntime } from '../../../cli/system.ts'

/** What a Debian has besides files, as far as setup changes it. */
interface Facts {
  users: string[]
  groups: Record<string, string[]>
  sysctls: Record<string, string>
  /** What systemd has read. */
  unit: string | undefined
  stub: boolean
}

/** What a server begins with. */
export interface FakeOptions {
  readonly rmemDefault?: string
  /** The stub of systemd-resolved listens, and resolv.conf leads to it. */
  readonly stub?: boolean
}

export const VERSION = '5e'.repeat(32)
const STUB_LINE = '  1: 3500007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   101\n'
const RESOLVED = '/etc/systemd/resolved.conf.d/60-makiatto.conf'
const UNIT = '/etc/systemd/system/makiatto.service'

/**
 * A server below a folder of its own, whose programs are played: nothing outside of the folder is touched. What they change
 * lasts, as files do, when a run of setup is cut.
 */
export class FakeServer implements Disposable {
  readonly root: string
  readonly facts: Facts
  readonly #boot: Readonly<Record<string, string>>

  constructor({ rmemDefault = '212992', stub = false }: FakeOptions = {}) {
    this.root = mkdtempSync(join(tmpdir(), 'maki-setup-'))
    this.#boot = { 'net.core.rmem_default': rmemDefault, 'net.ipv4.tcp_migrate_req': '0' }
    this.facts = { users: ['ann'], groups: { sudo: ['ann'] }, sysctls: { ...this.#boot }, unit: undefined, stub }
    this.write('/etc/resolv.conf.d/keep', 'others’ file\n')
    this.write('/run/systemd/resolve/stub-resolv.conf', '# the stub\n')
    this.write('/run/systemd/resolve/resolv.conf', '# upstream\n')
    for (const folder of ['/opt', '/proc/net', '/usr/local/bin', '/etc/systemd/system', '/var/cache'])
      mkdirSync(join(this.root, folder), { recursive: true })
    this.#showSockets()
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true })
    writeFileSync(join(this.root, path), text)
  }

  /** Brings the program, as the laptop does before setup runs. */
  place(): void {
    this.write(`/opt/makiatto/versions/${VERSION}/bin/makiatto`, 'the program')
  }

  /** All that a run may change, a fact a line. */
  list(): string[] {
    const facts = Object.entries(this.facts).map(([name, value]) => `${name} ${JSON.stringify(value)}`)
    return [...this.#listFolder('/'), ...facts]
  }

  /** What a reboot changes: settings come from files, services start. */
  reboot(): void {
    Object.assign(this.facts.sysctls, this.#boot)
    const settings = this.#read('/etc/sysctl.d/60-makiatto.conf') ?? ''
    for (const [, name, value] of settings.matchAll(/^([\w.]+) = (\d+)$/gm))
      this.facts.sysctls[String(name)] = String(value)
    this.facts.unit = this.#read(UNIT)
    this.#startResolved()
  }

  /** As `makiatto setup` sees it; `power` is asked before and after everything that lasts. */
  async work(power: { pass(what: string): Promise<void> }): Promise<Work> {
    const real = createServer(systemRuntime, this.root)
    const run: Server['run'] = async (program, args) => {
      const what = [program.replace(this.root, ''), ...args].join(' ')
      try {
        await power.pass(`before ${what}`)
      } catch (fault) {
        return { code: 1, stdout: '', stderr: (fault as Error).message }
      }
      const outcome = this.#run(program.replace(this.root, ''), args)
      await power.pass(`after ${what}`).catch(() => {})
      return outcome
    }
    const server: Server = { ...real, run }
    const journal = guard(await openJournal(server), power)
    return { server, journal, tell() {}, signal: new AbortController().signal }
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true })
  }

  #run(program: string, args: readonly string[]): ProgramOutcome {
    const { users, groups, sysctls } = this.facts
    const [first = '', second = '', third = ''] = args
    const name = args.at(-1) ?? ''
    switch (program) {
      case 'getent': {
        const found = first === 'passwd' ? users.includes(second) : second in groups
        return found
          ? said(`${second}:x:${process.getuid?.()}:${process.getgid?.()}::/var/makiatto:/usr/sbin/nologin\n`)
          : failed(2)
      }
      case 'useradd':
        if (users.includes(name) || name in groups) return failed(9, 'it exists')
        users.push(name)
        groups[name] = []
        return said()
      case 'usermod':
        groups[third]?.push(name)
        return said()
      case 'userdel':
        if (!users.includes(name)) return failed(6)
        users.splice(users.indexOf(name), 1)
        if (groups[name]?.length === 0) delete groups[name]
        return said()
      case 'groupdel':
        return delete groups[name] ? said() : failed(6)
      case 'id': {
        // No process is the fake user's: those of a real one of that number would be killed.
        if (first === '-u' || !users.includes(second)) return failed(1)
        return said(
          Object.keys(groups)
            .filter((group) => groups[group]?.includes(second))
            .join(' '),
        )
      }
      case 'sysctl': {
        if (first === '-n') return said(`${sysctls[second] ?? ''}\n`)
        const [key = '', value = ''] = third.split('=')
        sysctls[key] = value
        return said()
      }
      case 'systemctl':
        if (first === 'daemon-reload') this.facts.unit = this.#read(UNIT)
        if (first === 'restart' && second === 'systemd-resolved') this.#startResolved()
        return said()
      case 'runuser':
        this.write('/var/makiatto/keys/node.key', 'secret')
        this.write('/var/makiatto/keys/wireguard.key', 'secret')
        return said(`${JSON.stringify({ key: 'k'.repeat(52), wireguardKey: `${'A'.repeat(42)}E=` })}\n`)
      default:
        return said('0.1.0\n')
    }
  }

  #startResolved(): void {
    if (this.#read('/run/systemd/resolve/stub-resolv.conf') === undefined) return
    this.facts.stub = this.#hasStub && this.#read(RESOLVED) === undefined
    this.#showSockets()
  }

  get #hasStub(): boolean {
    this.#stubAtBoot ??= this.facts.stub
    return this.#stubAtBoot
  }
  #stubAtBoot: boolean | undefined

  #showSockets(): void {
    this.#stubAtBoot ??= this.facts.stub
    this.write('/proc/net/udp', this.facts.stub ? STUB_LINE : '')
  }

  #read(path: string): string | undefined {
    try {
      return readFileSync(join(this.root, path), 'utf8')
    } catch {
      return undefined
    }
  }

  #listFolder(folder: string): string[] {
    return readdirSync(join(this.root, folder)).flatMap((name) => {
      const path = join(folder, name)
      const { mode, uid, gid, ...entry } = lstatSync(join(this.root, path))
      const isLink = (mode & 0o170000) === 0o120000
      const isFolder = (mode & 0o170000) === 0o040000
      const content = isLink ? readlinkSync(join(this.root, path)) : isFolder ? '' : this.#read(path)
      const line = `${path} ${mode.toString(8)} ${uid}:${gid} ${content}${entry.nlink === 0 ? ' gone' : ''}`
      return isFolder ? [line, ...this.#listFolder(path)] : [line]
    })
  }
}

/** The same journal, each of whose writes can be cut before and after it. */
function guard(journal: Journal, power: { pass(what: string): Promise<void> }): Journal {
  return new Proxy(journal, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      const call = value.bind(target) as (...args: unknown[]) => unknown
      if (name === 'has') return call
      return async (...args: unknown[]) => {
        await power.pass(`before journal ${String(name)}`)
        const result = await call(...args)
        await power.pass(`after journal ${String(name)}`)
        return result
      }
    },
  })
}

const said = (stdout = ''): ProgramOutcome => ({ code: 0, stdout, stderr: '' })
const failed = (code: number, stderr = ''): ProgramOutcome => ({ code, stdout: '', stderr })
