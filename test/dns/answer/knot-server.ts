import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findFreePorts } from '../../support/free-ports.ts'

/** A zone as a master file. */
export interface ZoneFile {
  readonly apex: string
  readonly text: string
}

/** Queries under way: enough that waiting costs little, few enough that no socket buffer overflows. */
const WINDOW = 64

/** Knot (Debian package knot) with some zones, on a port of its own on 127.0.0.1. */
export class KnotServer implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #port: number

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.#port = port
  }

  /** Rejects with what knotd said when it does not come up. `folder` takes all that it writes. */
  static async start(folder: string, zones: readonly ZoneFile[]): Promise<KnotServer> {
    await mkdir(folder, { recursive: true })
    const port = await findFreePorts([0])
    for (const { apex, text } of zones) await writeFile(join(folder, `${apex}.zone`), text)
    const list = zones.map(({ apex }) => `  - domain: ${apex}.\n    file: ${apex}.zone\n`).join('')
    await writeFile(
      join(folder, 'knot.conf'),
      `server:
    rundir: "${folder}"
    listen: 127.0.0.1@${port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "${folder}/db"
log:
  - target: stderr
    any: info
template:
  - id: default
    storage: "${folder}"
    zonefile-sync: -1
    journal-content: none
zone:
${list}`,
    )
    // Whatever ends this process ends knotd, too.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'knotd', '-c', join(folder, 'knot.conf')], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin` },
    })
    const server = new KnotServer(child, port)
    try {
      await server.#loaded(zones.length)
      return server
    } catch (error) {
      await server[Symbol.asyncDispose]()
      throw error
    }
  }

  get port(): number {
    return this.#port
  }

  /** Of the process itself: what starts it becomes it. */
  get pid(): number {
    return this.#child.pid as number
  }

  /** The answers, in the order of the queries, whatever ids these have. Asks again what was lost. */
  async ask(queries: readonly Uint8Array[]): Promise<Buffer[]> {
    const socket = createSocket('udp4')
    try {
      socket.connect(this.#port, '127.0.0.1')
      await once(socket, 'connect')
      const answers: Buffer[] = []
      for (let start = 0; start < queries.length; start += WINDOW) {
        answers.push(...(await askWindow(socket, queries.slice(start, start + WINDOW))))
      }
      return answers
    } finally {
      socket.close()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const closed = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await closed
  }

  async #loaded(zones: number): Promise<void> {
    let said = ''
    await new Promise<void>((done, fail) => {
      this.#child.on('error', fail)
      this.#child.on('exit', () => fail(new Error(`knotd ended:\n${said}`)))
      this.#child.stderr?.on('data', (chunk: Buffer) => {
        said += chunk.toString()
        if (/\berror: .*zone|failed to load|no such file/i.test(said)) fail(new Error(`knotd refused:\n${said}`))
        const loaded = said.match(/\[[^\]]*\] (?:zone file )?loaded, /g)?.length ?? 0
        if (loaded >= zones && said.includes('server started')) done()
      })
    })
  }
}

async function askWindow(socket: Socket, queries: readonly Uint8Array[]): Promise<Buffer[]> {
  const answers = new Map<number, Buffer>()
  const send = (index: number) => {
    const query = Buffer.from(queries[index] as Uint8Array)
    query.writeUInt16BE(index, 0)
    socket.send(query)
  }
  await new Promise<void>((done, fail) => {
    const again = setInterval(() => {
      for (const index of queries.keys()) if (!answers.has(index)) send(index)
    }, 1000)
    const giveUp = setTimeout(() => end(new Error('knotd does not answer')), 20_000)
    const onMessage = (message: Buffer) => {
      answers.set(message.readUInt16BE(0), message)
      if (answers.size === queries.length) end()
    }
    const end = (error?: Error) => {
      clearInterval(again)
      clearTimeout(giveUp)
      socket.off('message', onMessage)
      if (error === undefined) done()
      else fail(error)
    }
    socket.on('message', onMessage)
    for (const index of queries.keys()) send(index)
  })
  return Array.from(queries.keys(), (index) => answers.get(index) as Buffer)
}
