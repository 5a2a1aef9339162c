import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { NODE_FLAGS } from '../../../cli/node/node-flags.ts'
import type { Child } from '../../support/child.ts'
import type { BootedHosts } from './booted-hosts.ts'

/** What a cable does to the frames of each direction. */
export interface CableFaults {
  /** One way. */
  readonly delayMs: number
  /** More or less than the delay, evenly spread: frames overtake each other. */
  readonly jitterMs: number
  readonly lossPercent: number
  /** 0: as fast as it goes. */
  readonly bitsPerSecond: number
}

export const PERFECT: CableFaults = { delayMs: 0, jitterMs: 0, lossPercent: 0, bitsPerSecond: 0 }

/** What a control file holds; undefined for one that is just being written. */
export function parseCableFaults(text: string): { version: number; faults: CableFaults } | undefined {
  try {
    return JSON.parse(text) as { version: number; faults: CableFaults }
  } catch {
    return undefined
  }
}

interface Files {
  readonly control: string
  readonly capture: string
}

const MAIN = join(import.meta.dirname, 'cable-main.ts')

/**
 * A program in the place of the cable between a host and the switch, as no kernel here can delay: it sees all that goes through,
 * keeps it, and can be slow, late and lossy. It lasts as long as the host does not boot again.
 */
export class Cable implements AsyncDisposable {
  readonly #hosts: BootedHosts
  readonly #port: string
  readonly #files: Files
  readonly #program: Child
  #version = 0

  private constructor(hosts: BootedHosts, port: string, files: Files, program: Child) {
    this.#hosts = hosts
    this.#port = port
    this.#files = files
    this.#program = program
  }

  /** Takes the place of what connects a port of the switch; what it keeps lies in the folder. */
  static async open(hosts: BootedHosts, port: string, folder: string): Promise<Cable> {
    const files = { control: join(folder, `${port}.control`), capture: join(folder, `${port}.capture`) }
    writeFileSync(files.control, JSON.stringify({ version: 0, faults: PERFECT }))
    writeFileSync(files.capture, '')
    const [near, far, bridge] = namesOf(port)
    for (const tap of [near, far]) {
      await hosts.run('ip', 'tuntap', 'add', 'dev', tap, 'mode', 'tap')
      await hosts.run('ip', 'link', 'set', tap, 'up')
    }
    const command = [process.execPath, ...NODE_FLAGS, MAIN, near, far, files.control, files.capture]
    const program = hosts.start(command)
    const cable = new Cable(hosts, port, files, program)
    await program.waitForLine((line) => line === 'cable 0')
    await hosts.run('ip', 'link', 'add', bridge, 'type', 'bridge', 'mcast_snooping', '0')
    await hosts.run('ip', 'link', 'set', bridge, 'up')
    await hosts.run('ip', 'link', 'set', near, 'master', bridge)
    await hosts.run('ip', 'link', 'set', far, 'master', 'br0')
    await hosts.run('ip', 'link', 'set', port, 'master', bridge)
    return cable
  }

  /** Resolves when it does so, to frames that come from now on. */
  async set(faults: Partial<CableFaults>): Promise<void> {
    const version = ++this.#version
    writeFileSync(this.#files.control, JSON.stringify({ version, faults: { ...PERFECT, ...faults } }))
    await this.#program.waitForLine((line) => line === `cable ${version}`)
  }

  /** All frames that went through, both ways, one behind the other. */
  heard(): Buffer {
    return readFileSync(this.#files.capture)
  }

  /** Connects the host to the switch as before. */
  async [Symbol.asyncDispose](): Promise<void> {
    const [near, far, bridge] = namesOf(this.#port)
    // Where the host is gone, or all of them, there is nothing to put back.
    await this.#hosts.run('ip', 'link', 'set', this.#port, 'master', 'br0').catch(() => {})
    await this.#program[Symbol.asyncDispose]()
    for (const link of [near, far, bridge]) await this.#hosts.run('ip', 'link', 'del', link).catch(() => {})
  }
}

/** Of the TAP interfaces on both sides and of the bridge on the host's. */
const namesOf = (port: string): [string, string, string] => [`${port}-near`, `${port}-far`, `${port}-br`]
