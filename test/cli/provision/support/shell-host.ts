import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { Duplex, Readable, type Writable } from 'node:stream'
import { SETUP_LOCK } from '../../../../cli/setup/index.ts'
import type { RemoteOutcome, RemoteProcess, RunOptions, SshHost } from '../../../../cli/ssh/index.ts'

/**
 * A server that is a shell on this computer, without root: /opt/makiatto lies in a folder of the test, and commands are
 * looked for in `bin` first, where a test may put programs that fail.
 */
export class ShellHost implements SshHost {
  readonly target = { user: 'root', host: 'server.test', port: 22 }
  readonly hostKey = 'ssh-ed25519 AAAA'
  readonly address = '198.51.100.7'
  readonly root: string
  /** What `makiatto setup` would have locked while it works on this server. */
  readonly lock: string
  readonly bin: string
  readonly shell: string

  constructor(folder: string, shell = 'sh') {
    this.root = join(folder, 'opt', 'makiatto')
    this.bin = join(folder, 'bin')
    this.lock = join(folder, 'setup.lock')
    this.shell = shell
    mkdirSync(join(folder, 'opt'), { recursive: true })
    mkdirSync(this.bin, { recursive: true })
  }

  /** A program that stands before those of the system. */
  program(name: string, script: string): void {
    writeFileSync(join(this.bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  }

  async run(command: string, { input = '', signal }: RunOptions = {}): Promise<RemoteOutcome> {
    const process = await this.start(command)
    const stop = (): void => void process.stdio.destroy()
    signal?.addEventListener('abort', stop, { once: true })
    const source = typeof input === 'string' || input instanceof Uint8Array ? [Buffer.from(input)] : input
    process.stdio.on('error', () => {})
    Readable.from(source, { objectMode: false }).pipe(process.stdio)
    const read = async (stream: Readable): Promise<string> => {
      const chunks: Buffer[] = []
      for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array))
      return Buffer.concat(chunks).toString('utf8')
    }
    const [stdout, stderr, end] = await Promise.all([read(process.stdio), read(process.stderr), process.ended])
    signal?.throwIfAborted()
    return { ...end, stdout, stderr }
  }

  async start(command: string): Promise<RemoteProcess> {
    const placed = command.replaceAll('/opt/makiatto', this.root).replaceAll(SETUP_LOCK, this.lock)
    const env = { ...process.env, PATH: [this.bin, process.env.PATH].join(delimiter) }
    const child = spawn(this.shell, ['-c', placed], { env, stdio: ['pipe', 'pipe', 'pipe'] })
    const ended = new Promise<{ code: number | null; signal: string | undefined }>((done) => {
      child.once('close', (code, signal) => done({ code, signal: signal ?? undefined }))
    })
    return { stdio: joinStreams(child.stdout, child.stdin), stderr: child.stderr, ended }
  }

  openControl(): Promise<Duplex> {
    return Promise.reject(new Error('there is no daemon'))
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** One of both, as SSH has it: what is written to a program that has ended goes nowhere, and what it said is read all the same. */
function joinStreams(output: Readable, input: Writable): Duplex {
  input.on('error', () => {})
  const stdio = new Duplex({
    read: () => void output.resume(),
    write: (chunk: Buffer, _encoding, done) => void input.write(chunk, () => done()),
    final(done) {
      input.end()
      done()
    },
    destroy(error, done) {
      input.destroy()
      output.destroy()
      done(error)
    },
  })
  output.on('data', (chunk: Buffer) => {
    if (!stdio.push(chunk)) output.pause()
  })
  output.once('end', () => stdio.push(null))
  return stdio
}
