import { readSync, writeSync } from 'node:fs'
import process from 'node:process'
import { encodeHead } from '../confined/index.ts'
import type { Answer } from '../guest-contract/index.ts'
import { refillCopies } from './budget.ts'
import type { Said, Told } from './host-messages.ts'
import type { Answered, GuestChannel, Told as Print } from './wasi-ports.ts'

/** Written together, so that a guest that prints letter by letter does not cost a frame each. */
const PRINT_BYTES = 8 * 1024
/** Of one run; what a guest prints beyond is lost, and that is said. */
const MOST_PRINTED_BYTES = 64 * 1024
const PREFIX_BYTES = 8
const BUFFER_BYTES = 64 * 1024

/**
 * The frames of a guest's process (see `confined/frames.ts`), read and written while everything else stands still: nothing
 * else happens here, and waiting in the kernel is the quickest way to be woken.
 */
export class HostChannel implements GuestChannel {
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  #start = 0
  #end = 0
  #printing: { readonly told: Print; readonly pieces: Uint8Array[]; bytes: number } | undefined
  #printedBytes = 0
  #silence: { hasAsked: boolean } | undefined

  /** The next frame of the owner. Blocks until it is there; ends the process when the owner is gone. */
  read(): { readonly header: Told | Answer; readonly body: Buffer } {
    const prefix = this.#take(PREFIX_BYTES)
    const headerBytes = prefix.readUInt32BE(0)
    const bodyBytes = prefix.readUInt32BE(4)
    const header: Told | Answer = JSON.parse(this.#take(headerBytes).toString('utf8'))
    // A copy, since the buffer is used again.
    return { header, body: Buffer.from(this.#take(bodyBytes)) }
  }

  say(said: Said, body?: Uint8Array): void {
    this.#flush()
    this.#printedBytes = 0
    writeFrame(said, body)
  }

  /** Does what must not ask or tell its owner anything, since nobody would take it for what it is: whoever tries is stopped. */
  inSilence<T>(act: () => T): { readonly result: T; readonly hasAsked: boolean } {
    const silence = { hasAsked: false }
    this.#silence = silence
    try {
      return { result: act(), hasAsked: silence.hasAsked }
    } finally {
      this.#silence = undefined
    }
  }

  ask(ask: Parameters<GuestChannel['ask']>[0], body?: Uint8Array): Answered {
    this.#mustMaySpeak()
    this.#flush()
    writeFrame(ask, body)
    const answer = this.read()
    return { header: answer.header as Answer, body: answer.body }
  }

  tell(told: Print, body: Uint8Array): void {
    this.#mustMaySpeak()
    const left = MOST_PRINTED_BYTES - this.#printedBytes
    if (left <= 0) return
    if (this.#printing !== undefined && this.#printing.told.stream !== told.stream) this.#flush()
    this.#printing ??= { told, pieces: [], bytes: 0 }
    const piece = Uint8Array.from(body.subarray(0, left))
    this.#printedBytes += piece.length
    this.#printing.pieces.push(piece)
    this.#printing.bytes += piece.length
    if (this.#printedBytes >= MOST_PRINTED_BYTES)
      this.#printing.pieces.push(Buffer.from('\n[more was printed, and is lost]\n'))
    if (this.#printing.bytes >= PRINT_BYTES || this.#printedBytes >= MOST_PRINTED_BYTES) this.#flush()
  }

  #mustMaySpeak(): void {
    refillCopies()
    if (this.#silence === undefined) return
    // A component may catch what is thrown here.
    this.#silence.hasAsked = true
    throw new Error('it asks for something before it is called')
  }

  #flush(): void {
    const printing = this.#printing
    if (printing === undefined) return
    this.#printing = undefined
    writeFrame(printing.told, Buffer.concat(printing.pieces))
  }

  /** So many bytes; they may lie in the buffer, until the next call. */
  #take(count: number): Buffer {
    if (count <= this.#end - this.#start) return this.#shift(count)
    if (count > BUFFER_BYTES) return this.#takeMany(count)
    this.#buffer.copyWithin(0, this.#start, this.#end)
    this.#end -= this.#start
    this.#start = 0
    while (this.#end < count) this.#end += readSome(this.#buffer, this.#end, BUFFER_BYTES - this.#end)
    return this.#shift(count)
  }

  #shift(count: number): Buffer {
    const bytes = this.#buffer.subarray(this.#start, this.#start + count)
    this.#start += count
    return bytes
  }

  #takeMany(count: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(count)
    let at = this.#buffer.copy(bytes, 0, this.#start, this.#end)
    this.#start = this.#end = 0
    while (at < count) at += readSome(bytes, at, count - at)
    return bytes
  }
}

function readSome(into: Buffer, at: number, most: number): number {
  const count = patiently(() => readSync(0, into, at, most, null))
  if (count === 0) process.exit(0)
  return count
}

function writeFrame(header: unknown, body: Uint8Array = new Uint8Array(0)): void {
  const head = encodeHead(header, body.length)
  if (body.length <= BUFFER_BYTES) writeAll(body.length === 0 ? head : Buffer.concat([head, body]))
  else {
    writeAll(head)
    writeAll(body)
  }
}

function writeAll(bytes: Uint8Array): void {
  let at = 0
  while (at < bytes.length) {
    const from = at
    at += patiently(() => writeSync(1, bytes, from, bytes.length - from))
  }
}

const { wait } = Atomics
const never = new Int32Array(new SharedArrayBuffer(4))

/** Where the kernel does not let a process wait (see `makeBlocking`), it looks again and again. */
function patiently(act: () => number): number {
  for (;;) {
    try {
      return act()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      wait(never, 0, 0, 1)
    }
  }
}
