import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { BootedHost, BootedHosts } from './booted-hosts.ts'

const PROXY = join(import.meta.dirname, 'cutting-proxy.ts')

/** A way from the switch to the sshd of a host that a test can cut at any moment: `address` and `port` stand for it. */
export class BreakableWay implements AsyncDisposable {
  readonly address = '198.51.100.1'
  readonly port: number
  readonly #child: ChildProcessWithoutNullStreams
  /** Who waits for an answer, in the order of what was asked. */
  readonly #waiting: PromiseWithResolvers<string>[] = []
  #onCut: (() => void) | undefined

  private constructor(child: ChildProcessWithoutNullStreams, port: number) {
    this.#child = child
    this.port = port
    const lines = createInterface({ input: child.stdout })
    lines.on('line', (line) => {
      if (line === 'cut') this.#onCut?.()
      else this.#waiting.shift()?.resolve(line)
    })
    lines.on('close', () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error('the way is gone'))
    })
    child.stderr.pipe(process.stderr)
  }

  /** Listens at the switch. */
  static async open(hosts: BootedHosts, host: BootedHost, port: number): Promise<BreakableWay> {
    const words = [...hosts.wrapper, 'setpriv', '--pdeathsig', 'KILL', process.execPath, PROXY]
    const [program, ...args] = [...words, '198.51.100.1', String(port), host.ipv4, '22']
    const way = new BreakableWay(spawn(program as string, args, { stdio: ['pipe', 'pipe', 'pipe'] }), port)
    await way.#answer()
    return way
  }

  /** All connections end at once; new ones too, until it is healed. */
  async cut(): Promise<void> {
    await this.#order('cut')
  }

  /** The same as soon as the visitor has sent so much more. Resolves when this is arranged; `onCut` is called when it happens. */
  async cutAfter(bytes: number, onCut: () => void = () => {}): Promise<void> {
    this.#onCut = onCut
    await this.#order(`cut-after ${bytes}`)
  }

  async heal(): Promise<void> {
    await this.#order('heal')
  }

  /** What the visitor has sent so far. */
  async count(): Promise<{ readonly bytes: number; readonly connections: number }> {
    const [, bytes, connections] = (await this.#order('count')).split(' ')
    return { bytes: Number(bytes), connections: Number(connections) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = once(this.#child, 'exit')
    this.#child.stdin.end()
    await gone
  }

  #order(line: string): Promise<string> {
    const answer = this.#answer()
    this.#child.stdin.write(`${line}\n`)
    return answer
  }

  #answer(): Promise<string> {
    const waiting = Promise.withResolvers<string>()
    this.#waiting.push(waiting)
    return waiting.promise
  }
}
