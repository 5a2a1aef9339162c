import type { OutgoingHttpHeaders } from 'node:http'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { MakiError, type Runtime } from '../../core/index.ts'
import { type HeaderFields, type Plan, type PlanBody, refuse } from '../respond/index.ts'
import type { TransformResults } from '../transforms/index.ts'
import { exactly, wrongLength } from '../transport/index.ts'
import { type BodySource, openBody, readBody, streamBody } from './body-source.ts'

/** Where an answer is written: a `ServerResponse`, or what another transport has of the same shape. */
export interface AnswerStream extends Writable {
  readonly headersSent: boolean
  /** Null while answers to earlier requests of its connection go first; absent where none do. */
  readonly socket?: unknown
  writeHead(status: number, headers: OutgoingHttpHeaders): unknown
  /**
   * Has the kernel send [start, end) of an open file behind the head; absent where it cannot. Rejects with a MakiError
   * where the file is to blame, with another error where the connection is.
   */
  readonly sendFile?:
    | ((fd: number, start: number, end: number, passed: (bytes: number) => void) => Promise<void>)
    | undefined
}

export interface SendPorts extends BodySource {
  readonly runtime: Pick<Runtime, 'after'>
  readonly timeoutMs: number
  /** For the answer that is given when the blob cannot be read. */
  readonly base: HeaderFields
  /** Told of what transforms made and cannot be read; undefined where no answer names it. */
  readonly results?: Pick<TransformResults, 'lost'> | undefined
  /** Decides once more: the encoding or the result that the answer named is gone, and was forgotten. */
  readonly again: () => Plan | Promise<Plan>
  /** Told of each answer whose head is written, once: of the one that was decided, or of what is sent in its place. */
  readonly begins: (plan: Plan) => void
}

type BlobBody = Extract<PlanBody, { kind: 'blob' }>

/** Read at once and sent in one write; larger ones stream. */
const SMALL_BYTES = 64 * 1024
/** Above, the kernel sends the file where it can; below, what is read may be kept for the next who asks. */
const KERNEL_BYTES = 128 * 1024
/** What a client must take in each time-out's span, about 1 KiB a second: a slower one only holds our place. */
const LEAST_BYTES_PER_SPAN = 64 * 1024
const RETRY_AFTER_S = '5'

/**
 * Sends an answer. Resolves when it was handed over or the client went away; rejects when the blob failed, after the
 * client was told so (503 before the first byte, a cut connection after it).
 */
export async function sendPlan(plan: Plan, response: AnswerStream, ports: SendPorts): Promise<void> {
  const { body } = plan
  switch (body.kind) {
    case 'none':
      return finish(plan, response, ports)
    case 'text':
      return finish(plan, response, ports, body.text)
    case 'bytes':
      return sendBytes(plan, body.bytes, response, ports)
    case 'blob':
      return sendBlob(plan, body, response, ports)
    default:
      return body satisfies never
  }
}

function begin(plan: Plan, response: AnswerStream, ports: SendPorts): void {
  ports.begins(plan)
  response.writeHead(plan.status, plan.headers)
}

function finish(plan: Plan, response: AnswerStream, ports: SendPorts, bytes?: string | Uint8Array): void {
  begin(plan, response, ports)
  response.end(bytes)
  // What is small waits too where a client opens no window for it, and a request is under way as long.
  if (bytes === undefined || response.destroyed || response.writableFinished) return
  const watch = new Watch(response, ports)
  response.once('close', () => watch.stop())
}

/** In pieces where it is much, so that a client that takes none is seen. */
async function sendBytes(plan: Plan, bytes: Uint8Array, response: AnswerStream, ports: SendPorts): Promise<void> {
  if (bytes.length <= SMALL_BYTES) return finish(plan, response, ports, bytes)
  const watch = new Watch(response, ports)
  begin(plan, response, ports)
  try {
    await pipeline(slice(bytes, watch), response)
  } catch {
    // The client has left, or was cut.
  } finally {
    watch.stop()
  }
}

async function* slice(bytes: Uint8Array, watch: Watch): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += SMALL_BYTES) {
    const piece = bytes.subarray(start, start + SMALL_BYTES)
    watch.taken(piece.length)
    yield piece
  }
}

async function sendBlob(plan: Plan, body: BlobBody, response: AnswerStream, ports: SendPorts): Promise<void> {
  const watch = new Watch(response, ports)
  try {
    if (body.end === body.start) finish(plan, response, ports)
    else if (body.whole && body.end <= mostRead(body)) await sendSmall(plan, body, response, ports)
    else if (!(await sendFromFile(plan, body, response, ports, watch)))
      await sendStream(plan, body, response, ports, watch)
  } catch (error) {
    const isUnsent = !response.headersSent && !response.destroyed
    // Each time one encoding fewer is known, so that this comes to an end.
    if (isUnsent && body.variant !== undefined) return await sendPlan(await ports.again(), response, ports)
    if (isUnsent && body.isResult === true && ports.results !== undefined) {
      // It is made again, and when that is lost too the file itself is sent.
      ports.results.lost(body.hash)
      return await sendPlan(await ports.again(), response, ports)
    }
    if (isUnsent) {
      const sorry = refuse({ method: 'GET' }, 503, { ...ports.base, 'retry-after': RETRY_AFTER_S })
      await sendPlan(plan.of === undefined ? sorry : { ...sorry, of: plan.of }, response, ports)
    } else response.destroy()
    throw error
  } finally {
    watch.stop()
  }
}

/** An encoding that may be kept for the next who asks is read whole, and so compared with its check, before it is. */
const mostRead = ({ variant }: BlobBody): number => (variant === undefined ? SMALL_BYTES : KERNEL_BYTES)

async function sendSmall(plan: Plan, body: BlobBody, response: AnswerStream, ports: SendPorts): Promise<void> {
  const bytes = await readBody(body, ports)
  if (bytes.length !== body.end) throw wrongLength(`the blob ${body.hash}`, body.end)
  if (!response.destroyed) finish(plan, response, ports, bytes)
}

/** False where it has to be streamed. */
async function sendFromFile(
  plan: Plan,
  body: BlobBody,
  response: AnswerStream,
  ports: SendPorts,
  watch: Watch,
): Promise<boolean> {
  if (response.sendFile === undefined || body.end - body.start <= KERNEL_BYTES) return false
  const file = await openBody(body, ports)
  if (file === undefined) return false
  try {
    if (response.destroyed) return true
    begin(plan, response, ports)
    await response.sendFile(file.fd, body.start, body.end, (bytes) => watch.taken(bytes))
    response.end()
  } catch (error) {
    if (error instanceof MakiError) throw error
    response.destroy()
  } finally {
    await file.close()
  }
  return true
}

async function sendStream(
  plan: Plan,
  body: BlobBody,
  response: AnswerStream,
  ports: SendPorts,
  watch: Watch,
): Promise<void> {
  const source = await streamBody(body, ports)
  // Heard before the pipeline hears it and destroys the response too, which tells a failed blob from a client that left.
  let failed = false
  source.on('error', () => {
    failed ||= !response.destroyed
  })
  // The client may have left while the file was opened; a pipeline into a dead response would leave it open.
  if (response.destroyed) {
    source.destroy()
    return
  }
  begin(plan, response, ports)
  const measured = exactly(body.end - body.start, `the blob ${body.hash}`, (bytes) => watch.taken(bytes))
  try {
    await pipeline(source, measured, response)
  } catch (error) {
    if (failed || error instanceof MakiError) throw error
  }
}

/** Cuts an answer that makes no progress, whether the disk or the client is to blame. */
class Watch {
  readonly #response: AnswerStream
  readonly #ports: SendPorts
  #takenBytes = 0
  #cancel: () => void

  constructor(response: AnswerStream, ports: SendPorts) {
    this.#response = response
    this.#ports = ports
    this.#cancel = this.#arm()
  }

  taken(bytes: number): void {
    this.#takenBytes += bytes
  }

  stop(): void {
    this.#cancel()
  }

  #arm(): () => void {
    return this.#ports.runtime.after(this.#ports.timeoutMs, () => {
      if (this.#takenBytes < LEAST_BYTES_PER_SPAN && this.#response.socket !== null) {
        this.#response.destroy()
        return
      }
      this.#takenBytes = 0
      this.#cancel = this.#arm()
    })
  }
}
