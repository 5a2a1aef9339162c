import { Duplex, PassThrough, Readable } from 'node:stream'
import {
  DISCARD_COMMAND,
  LOOK_COMMAND,
  SCRIPT_COMMAND,
  SETUP_COMMAND,
  UPLOAD_COMMAND,
} from '../../../../cli/provision/remote-commands.ts'
import type { SetupRequest } from '../../../../cli/setup/index.ts'
import type { RemoteOutcome, RemoteProcess, RunOptions, SshHost } from '../../../../cli/ssh/index.ts'
import { systemRuntime } from '../../../../cli/system.ts'
import {
  type ClusterId,
  decodeOperation,
  formatWireGuardKey,
  MakiError,
  type MemberKey,
  type WireGuardKey,
} from '../../../../core/index.ts'
import { parseOperationBatch } from '../../../../edge/index.ts'
import { testKey } from '../../support/test-cluster.ts'
import { startTestNode, type TestNode } from '../../support/test-node.ts'
import { printFacts } from './facts.ts'

/** What goes wrong, and when: the connection is lost, or the server refuses. */
export interface Fault {
  readonly at: 'look' | 'upload' | 'install' | 'joined' | 'begin' | 'begun'
  readonly how: 'cut' | 'refused'
}

/** A server as `machine init` meets it over SSH: its disk is these fields, and its node lives in this process. */
export class FakeServer implements SshHost {
  readonly target
  readonly hostKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDummy'
  readonly address: string
  /** Versions that lie there. */
  readonly versions = new Set<string>()
  /** Every request of `makiatto setup`. */
  readonly requests: SetupRequest[] = []
  config: string | undefined
  node: TestNode | undefined
  fault: Fault | undefined
  /** Called when the fault is met, before it shows. */
  onFault: () => void = () => {}
  /** Facts that are not those of a server that fits. */
  facts: Readonly<Record<string, string>> = {}
  /** False: an older version runs there. */
  hasMesh = true
  #current: string | undefined
  #keyNumber: number
  #isBegun = false
  readonly #directory: string
  readonly #running: Set<MemberKey>

  /** `running`: keys of the nodes that run, of all servers, which hear each other. */
  constructor(directory: string, number: number, running: Set<MemberKey>) {
    this.#running = running
    this.#directory = directory
    this.#keyNumber = 100 + 10 * number
    this.address = `198.51.100.${number}`
    this.target = { user: 'root', host: this.address, port: 22 }
  }

  get wireguardKey(): WireGuardKey {
    return formatWireGuardKey(new Uint8Array(32).fill(this.#keyNumber))
  }

  /** Nothing of ours is there. */
  get isBare(): boolean {
    return this.versions.size === 0 && this.config === undefined && this.node === undefined
  }

  async run(command: string, { input = '', signal }: RunOptions = {}): Promise<RemoteOutcome> {
    signal?.throwIfAborted()
    const source = typeof input === 'string' || input instanceof Uint8Array ? [Buffer.from(input)] : input
    const chunks: Buffer[] = []
    for await (const chunk of source) chunks.push(Buffer.from(chunk))
    const [version = ''] = Buffer.concat(chunks).subarray(0, 65).toString('latin1').split('\n')
    switch (command) {
      case SCRIPT_COMMAND:
        this.#meet('look')
        return outcome(printFacts(this.address, { ...this.#found(), ...this.facts }))
      case LOOK_COMMAND:
        return outcome(this.versions.has(version) ? 'whole\n' : 'missing\n')
      case UPLOAD_COMMAND:
        if (this.#meet('upload')) return { ...outcome(''), code: 68, stderr: 'No space left on device' }
        this.versions.add(version)
        return outcome('whole\n')
      case DISCARD_COMMAND:
        if (this.config === undefined) this.versions.delete(version)
        return outcome('')
      default:
        return outcome('0\n')
    }
  }

  async start(command: string): Promise<RemoteProcess> {
    if (command !== SETUP_COMMAND) throw new Error(`unexpected: ${command}`)
    const input = new PassThrough()
    const output = new PassThrough()
    const { promise, resolve, reject } = Promise.withResolvers<{ code: number | null; signal: undefined }>()
    const say = (event: object): void => void output.write(`${JSON.stringify(event)}\n`)
    this.#serve(input, say).then(
      () => {
        output.end()
        resolve({ code: 0, signal: undefined })
      },
      (error: Error) => {
        output.destroy(error)
        reject(error)
      },
    )
    const stdio = Duplex.from({ readable: output, writable: input } as unknown as AsyncIterable<Uint8Array>)
    return { stdio, stderr: Readable.from([]), ended: promise }
  }

  openControl(): Promise<Duplex> {
    return Promise.reject(new Error('the node is reached in another way here'))
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** As a run leaves it that was killed before the node was given anything. */
  installOnly(version: string, config: string): void {
    this.versions.add(version)
    this.#current = version
    this.config = config
  }

  /** Ends the node, too. */
  async end(): Promise<void> {
    this.#running.delete(testKey(this.#keyNumber).key)
    await this.node?.[Symbol.asyncDispose]()
    this.node = undefined
  }

  async #serve(input: Readable, say: (event: object) => void): Promise<void> {
    let text = ''
    for await (const chunk of input.iterator({ destroyOnReturn: false })) {
      text += Buffer.from(chunk as Uint8Array).toString('utf8')
      if (text.split('\n').length > 2) break
    }
    const lines = text.split('\n')
    const request = JSON.parse(lines[1] as string) as SetupRequest
    if (!this.versions.has(lines[0] as string)) throw new Error('the program is not there')
    this.requests.push(request)
    const refuse = (undone: boolean): void =>
      say({ event: 'error', code: 'MAKI_STORE_FAILED', message: `${request.do} failed`, undone })
    switch (request.do) {
      case 'install': {
        if (this.#meet('install')) return refuse(true)
        const known = this.config !== undefined
        if (!known) this.#keyNumber++
        this.config ??= request.config
        this.#current = lines[0]
        say({ event: 'step', step: 'Configuration', state: 'begun' })
        say({ event: 'step', step: 'Configuration', state: 'done' })
        const wireguardKey = this.hasMesh ? this.wireguardKey : undefined
        return say({ event: 'result', result: { key: testKey(this.#keyNumber).key, wireguardKey, known } })
      }
      case 'begin': {
        const undo = async (): Promise<void> => {
          await this.end()
          if (request.undo) this.#wipe()
        }
        if (this.fault?.at === 'begin') await undo()
        if (this.#meet('begin')) return refuse(true)
        if (this.node === undefined) await this.#boot(Buffer.from(request.seed, 'base64'))
        this.#isBegun = true
        this.#meet('begun')
        return say({ event: 'result', result: { pid: 7 } })
      }
      case 'remove':
        await this.end()
        this.#wipe()
        return say({ event: 'result', result: { left: [] } })
      default:
        throw new Error(`unexpected: ${request.do}`)
    }
  }

  async #boot(seed: Uint8Array): Promise<void> {
    const operations = parseOperationBatch(seed)
    const cluster = /cluster = "(.*)"/.exec(this.config as string)?.[1] as ClusterId
    const [creation] = operations
    const name = /name = "(.*)"/.exec(this.config as string)?.[1] as string
    const key = testKey(this.#keyNumber).key
    this.node = await startTestNode({
      directory: this.#directory,
      cluster,
      creation: creation as Uint8Array,
      name: `${name}-${this.#keyNumber}`,
      key,
    })
    for (const bytes of operations) decodeOperation(bytes, cluster)
    this.node.statusOf = (nodes) =>
      nodes.map((node) => (this.#running.has(node.key) ? node : { ...node, up: false, lagMs: null, digest: null }))
    this.#running.add(key)
    await this.node.replica.submit(operations)
    await this.node.start()
  }

  #wipe(): void {
    this.config = undefined
    this.#isBegun = false
    this.#current = undefined
    this.versions.clear()
  }

  /** True where the server is to refuse here; throws where the connection is to be lost. */
  #meet(at: Fault['at']): boolean {
    if (this.fault?.at !== at) return false
    const { how } = this.fault
    this.fault = undefined
    this.onFault()
    if (how === 'cut') throw new MakiError('MAKI_UNREACHABLE', 'the connection was lost')
    return true
  }

  #found(): Readonly<Record<string, string>> {
    if (this.config === undefined) return {}
    const marks = [
      'file /opt/makiatto/journal.json',
      `link /opt/makiatto/current versions/${this.#current}`,
      'file /etc/makiatto/makiatto.toml',
      ...(this.#isBegun ? ['file /var/makiatto/stored'] : []),
      `active ${this.node === undefined ? 'inactive' : 'active'}`,
    ]
    return { marks: marks.join('\n'), config: this.config, date: String(Math.floor(systemRuntime.now() / 1000)) }
  }
}

const outcome = (stdout: string): RemoteOutcome => ({ code: 0, signal: undefined, stdout, stderr: '' })
