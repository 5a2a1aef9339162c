import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What npm says of its own configuration and versions depends on the machine, and is no part of any document. */
const NPM_CHATTER = /^npm (warn|notice).*\n/gm

/** The terminal in which commands are typed one after another: variables and folder stay from one to the next. */
export class Shell {
  readonly #stateFile: string
  readonly #env: NodeJS.ProcessEnv
  readonly #cwd: string

  constructor(folder: string, options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }) {
    this.#stateFile = join(folder, 'shell-state')
    this.#env = options.env
    this.#cwd = options.cwd
    writeFileSync(this.#stateFile, '')
  }

  /** Output as a terminal shows it, error output in its place. */
  async type(command: string): Promise<{ readonly code: number | null; readonly output: string }> {
    // Exported variables and the folder are what a command leaves to the next one.
    const script = `. '${this.#stateFile}'\n${command}\ncode=$?\n{ export -p; echo "cd '$PWD'"; } > '${this.#stateFile}'\nexit $code`
    const child = spawn('bash', ['-c', `exec 2>&1\n${script}`], {
      cwd: this.#cwd,
      env: this.#env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, output: output.replace(NPM_CHATTER, '') }
  }
}

/** The terminal in which one command runs all the time. */
export class RunningCommand implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  #output = ''
  #hasEnded = false

  constructor(command: string, options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }) {
    // A group of its own, since Ctrl-C reaches all of a terminal's group and so does ours.
    this.#child = spawn('bash', ['-c', `exec 2>&1\nexec ${command}`], {
      ...options,
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text
    })
    this.#ended = once(this.#child, 'close').then(() => {
      this.#hasEnded = true
    })
  }

  get output(): string {
    return this.#output.replace(NPM_CHATTER, '')
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Ctrl-C, to the whole group as a terminal does it; resolves when the command has ended. */
  async interrupt(): Promise<void> {
    this.#signal('SIGINT')
    await this.#ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal('SIGKILL')
    await this.#ended
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, signal)
    } catch {
      // Gone already.
    }
  }
}

/** A document's text with its ports replaced by others. */
export function readWithPorts(file: string, ports: ReadonlyMap<number, number>): string {
  let text = readFileSync(file, 'utf8')
  for (const [documented, real] of ports) {
    const pattern = new RegExp(`\\b${documented}\\b`, 'g')
    text = text.replace(pattern, String(real))
  }
  return text
}
