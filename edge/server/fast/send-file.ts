import { closeSync, openSync, readSync } from 'node:fs'
import type { Socket } from 'node:net'
import { MakiError } from '../../../core/index.ts'
import { wrongLength } from '../../transport/index.ts'

type SendFileCall = (out: number, input: number, offset: Uint8Array, count: bigint) => bigint

/** [start, end) of an open file. */
interface FilePart {
  readonly fd: number
  readonly start: number
  readonly end: number
}

/** What is written where the socket is full: its callback tells when there is room again. */
const CHUNK_BYTES = 16 * 1024
/** Sent at most before others have their turn, and asked for by one call: as nginx has it (`sendfile_max_chunk`). */
const TURN_BYTES = 2 * 1024 * 1024

// One for all calls, which return before the next: and held here, since the garbage collector knows nothing of pointers.
const offset = new BigInt64Array(1)
const offsetBytes = new Uint8Array(offset.buffer)

let call: SendFileCall | undefined

/**
 * Looks whether sendfile(2) can be called here (Linux, node:ffi, and a kernel that does it), once for the process. Sends a
 * few bytes to /dev/null to know.
 */
export async function findSendFile(): Promise<boolean> {
  call ??= await trySendFile()
  return call !== undefined
}

async function trySendFile(): Promise<SendFileCall | undefined> {
  if (process.platform !== 'linux') return undefined
  try {
    const { dlopen } = await import('node:ffi')
    const { functions } = dlopen(null, {
      sendfile: { arguments: ['int32', 'int32', 'buffer', 'uint64'], return: 'int64' },
    })
    const found: SendFileCall = (out, input, at, count) => functions.sendfile(out, input, at, count)
    const input = openSync(import.meta.filename, 'r')
    try {
      const out = openSync('/dev/null', 'w')
      try {
        offset[0] = 3n
        return found(out, input, offsetBytes, 7n) === 7n && offset[0] === 10n ? found : undefined
      } finally {
        closeSync(out)
      }
    } finally {
      closeSync(input)
    }
  } catch {
    return undefined
  }
}

/** The descriptor of a plain socket; undefined where it is closed, or is none of the system's. */
function descriptorOf(socket: Socket): number | undefined {
  const { _handle } = socket as unknown as { _handle: { fd?: unknown } | null }
  const fd = _handle?.fd
  return typeof fd === 'number' && fd >= 0 ? fd : undefined
}

/**
 * Copies a part of a file to a plain socket inside the kernel. All that was written on the socket before must have been
 * handed to the system. Resolves when the last byte is; rejects with MAKI_STORE_DAMAGED when the file is shorter, or
 * with the socket's error. Only after `findSendFile` said yes.
 */
export async function sendFile(socket: Socket, part: FilePart, passed: (bytes: number) => void): Promise<void> {
  let at = part.start
  let chunk: Buffer | undefined
  while (at < part.end) {
    const sent = sendTurn(socket, part, at)
    at += sent
    passed(sent)
    if (at >= part.end) return
    if (sent >= TURN_BYTES) await new Promise((resolve) => setImmediate(resolve))
    else {
      chunk ??= Buffer.allocUnsafeSlow(CHUNK_BYTES)
      const written = await writeChunk(socket, part, at, chunk)
      at += written
      passed(written)
    }
  }
}

/** As much as the socket takes, up to a turn's share. */
function sendTurn(socket: Socket, { fd, end }: FilePart, from: number): number {
  let sent = 0
  while (from + sent < end && sent < TURN_BYTES) {
    const out = descriptorOf(socket)
    if (call === undefined || out === undefined || socket.destroyed) return sent
    offset[0] = BigInt(from + sent)
    const count = Math.min(TURN_BYTES - sent, end - from - sent)
    const taken = Number(call(out, fd, offsetBytes, BigInt(count)))
    // Full, broken, or at the end of the file: the write that follows finds out.
    if (taken <= 0) break
    sent += taken
  }
  return sent
}

/** The ordinary way, which knows how to wait, and tells every error. */
async function writeChunk(socket: Socket, { fd, end }: FilePart, at: number, chunk: Buffer): Promise<number> {
  const bytesRead = readChunk(fd, chunk, Math.min(chunk.length, end - at), at)
  if (bytesRead === 0) throw wrongLength('the file of a blob', end)
  await new Promise<void>((resolve, reject) => {
    socket.write(chunk.subarray(0, bytesRead), (error) => (error ? reject(error) : resolve()))
  })
  return bytesRead
}

/** Not by the thread pool, which costs more than the copy: sendfile(2) has just asked for these bytes. */
function readChunk(fd: number, chunk: Buffer, length: number, at: number): number {
  try {
    return readSync(fd, chunk, 0, length, at)
  } catch (cause) {
    throw new MakiError('MAKI_STORE_DAMAGED', 'the file of a blob cannot be read', { cause })
  }
}
