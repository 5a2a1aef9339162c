import { dlopen } from 'node:ffi'
import { appendFileSync, openSync, read, readFileSync, writeSync } from 'node:fs'
import { createRandom } from '../../support/seeds.ts'
import { type CableFaults, PERFECT, parseCableFaults } from './cable.ts'

/**
 * A cable in user space: hands every Ethernet frame from one TAP interface to the other, late, not at all, or no faster than it
 * may. `cable-main.ts NAME NAME CONTROL CAPTURE`: CONTROL is a file that holds what it is to do now, and CAPTURE, where it is not
 * empty, one to which all frames are added. It says `cable N` when it does what version N of the control file asks.
 */

const [firstName = '', secondName = '', control = '', capture = ''] = process.argv.slice(2)
/** tun(4), linux/if_tun.h. */
const TUNSETIFF = 0x400454can
const IFF_TAP = 0x0002
const IFF_NO_PI = 0x1000
const IFREQ_BYTES = 40
const IFREQ_FLAGS = 16
const FRAME_BYTES = 2048
/** A router's buffer: what would wait longer for the line is dropped. */
const BUFFER_MS = 250
const LOOK_EVERY_MS = 20
const NANOSECONDS_PER_MS = 1e6

const { functions } = dlopen('libc.so.6', {
  ioctl: { arguments: ['int32', 'uint64', 'buffer'], return: 'int32' },
})
const ioctl = functions.ioctl as (fd: number, request: bigint, argument: Buffer) => number
const random = createRandom(1)
let faults: CableFaults = PERFECT

function openTap(name: string): number {
  const fd = openSync('/dev/net/tun', 'r+')
  const request = Buffer.alloc(IFREQ_BYTES)
  request.write(name, 'latin1')
  request.writeUInt16LE(IFF_TAP | IFF_NO_PI, IFREQ_FLAGS)
  if (ioctl(fd, TUNSETIFF, request) < 0) throw new Error(`there is no TAP interface ${name}`)
  return fd
}

const nowMs = (): number => Number(process.hrtime.bigint()) / NANOSECONDS_PER_MS

/** One direction: its frames in the order in which they arrive. */
class Direction {
  readonly #to: number
  readonly #queue: { readonly dueMs: number; readonly frame: Buffer }[] = []
  #lineFreeMs = 0
  #timer: NodeJS.Timeout | undefined

  constructor(to: number) {
    this.#to = to
  }

  take(frame: Buffer): void {
    if (capture !== '') appendFileSync(capture, frame)
    const { delayMs, jitterMs, lossPercent, bitsPerSecond } = faults
    if (lossPercent > 0 && random.chance(lossPercent / 100)) return
    const at = nowMs()
    let sentMs = at
    if (bitsPerSecond > 0) {
      sentMs = Math.max(at, this.#lineFreeMs)
      if (sentMs - at > BUFFER_MS) return
      sentMs += (frame.length * 8 * 1000) / bitsPerSecond
      this.#lineFreeMs = sentMs
    }
    const dueMs = sentMs + delayMs + (random.next() * 2 - 1) * jitterMs
    if (dueMs <= at && this.#queue.length === 0) {
      this.#send(frame)
      return
    }
    // Nearly always the last one; with jitter a frame may overtake others.
    let i = this.#queue.length
    while (i > 0 && (this.#queue[i - 1]?.dueMs ?? 0) > dueMs) i--
    this.#queue.splice(i, 0, { dueMs, frame })
    this.#wait()
  }

  #wait(): void {
    clearTimeout(this.#timer)
    const [next] = this.#queue
    this.#timer = next === undefined ? undefined : setTimeout(() => this.#flush(), Math.max(0, next.dueMs - nowMs()))
  }

  #flush(): void {
    const at = nowMs()
    while ((this.#queue[0]?.dueMs ?? Number.POSITIVE_INFINITY) <= at) this.#send(this.#queue.shift()?.frame as Buffer)
    this.#wait()
  }

  #send(frame: Buffer): void {
    try {
      writeSync(this.#to, frame)
    } catch {
      // The interface is down, as a cable that hangs in the air.
    }
  }
}

function carry(from: number, direction: Direction): void {
  read(from, Buffer.alloc(FRAME_BYTES), 0, FRAME_BYTES, null, (error, length, frame) => {
    if (error === null) direction.take(frame.subarray(0, length))
    if (error === null || error.code === 'EIO') setImmediate(() => carry(from, direction))
    else throw error
  })
}

const [first, second] = [openTap(firstName), openTap(secondName)]
carry(first, new Direction(second))
carry(second, new Direction(first))
let version = -1
const look = (): void => {
  const asked = parseCableFaults(readFileSync(control, 'utf8'))
  if (asked === undefined || asked.version === version) return
  version = asked.version
  faults = asked.faults
  console.log(`cable ${version}`)
}
look()
setInterval(look, LOOK_EVERY_MS)
