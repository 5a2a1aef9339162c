import type { Socket } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { endGently } from '../../transport/index.ts'
import type { Ended } from '../request-handler.ts'
import type { HostEntry, MemorisedAnswer } from './answer-memo.ts'
import { AnswerWriter } from './answer-writer.ts'
import { type FastContext, type Held, MAX_PREPARED_BYTES } from './fast-context.ts'
import { handOver } from './hand-over.ts'
import { findMemorable } from './memorable.ts'
import { RecordedRequest } from './recorded-request.ts'
import { INCOMPLETE, type RequestHead, STRANGE } from './request-head.ts'

/**
 * One connection on the fast path. It reads heads, answers those that the memo knows at once, and the others one after
 * another by the request handler; while one is under way it reads nothing more. The first head that is strange takes the
 * connection to node:http, with all bytes from there on, for good.
 */
export class FastConnection implements Held {
  readonly #context: FastContext
  readonly #socket: Socket
  readonly #covers: ((host: string) => boolean) | undefined
  /** Of a head that is not complete, or of requests behind the one under way. */
  #kept: Buffer | undefined
  #state: 'head' | 'rest' | 'busy' | 'over' = 'head'
  /** When the state began, or last moved on; monotonic milliseconds. */
  #sinceMs: number
  /** What the socket had taken then. */
  #takenBytes = 0
  #writer: AnswerWriter | undefined
  /** The second in which it was last noted that the connection rests. */
  #restTick = -1
  #covered: HostEntry | undefined

  constructor(context: FastContext, socket: Socket, covers?: (host: string) => boolean) {
    this.#context = context
    this.#socket = socket
    this.#covers = covers
    this.#sinceMs = context.runtime.monotonic()
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('error', ignore)
    socket.on('close', this.#onClose)
  }

  closeIdle(which: 'resting' | 'silent'): void {
    const isResting = this.#state === 'rest'
    if (which === 'resting' ? isResting : this.#isReading) this.#socket.destroy()
  }

  check(nowMs: number): void {
    const { limits } = this.#context
    const forMs = nowMs - this.#sinceMs
    switch (this.#state) {
      case 'head':
        if (forMs >= limits.headMs) this.#refuse('ERR_HTTP_REQUEST_TIMEOUT')
        return
      case 'rest':
        if (forMs >= limits.keepAliveMs) this.#socket.destroy()
        return
      case 'busy':
        this.#checkProgress(nowMs, forMs)
        return
      case 'over':
        return
      default:
        this.#state satisfies never
    }
  }

  #checkProgress(nowMs: number, forMs: number): void {
    const { bytesWritten, writableLength } = this.#socket
    const takenBytes = bytesWritten - writableLength + (this.#writer?.filedBytes ?? 0)
    if (takenBytes === this.#takenBytes) {
      if (forMs >= this.#context.limits.stillMs) this.#socket.destroy()
      return
    }
    this.#takenBytes = takenBytes
    this.#sinceMs = nowMs
  }

  readonly #onData = (chunk: Buffer): void => {
    const kept = this.#kept
    this.#kept = undefined
    this.#readAll(kept === undefined ? chunk : Buffer.concat([kept, chunk]))
  }

  /** The client asks nothing more, and may wait for answers all the same (RFC 9112 section 9.6). */
  readonly #onEnd = (): void => {
    if (!this.#isReading) return
    if (this.#kept === undefined) this.#end()
    else this.#refuse('HPE_INVALID_EOF_STATE')
  }

  readonly #onClose = (): void => {
    this.#state = 'over'
    this.#kept = undefined
    this.#context.connections.delete(this)
  }

  #readAll(bytes: Buffer): void {
    const { head } = this.#context
    let at = 0
    let wants = false
    while (at < bytes.length && !wants) {
      const end = head.read(bytes, at)
      if (end === STRANGE) {
        this.#handOver(bytes.subarray(at))
        return
      }
      if (end === INCOMPLETE) break
      wants = !this.#answerKnown()
      if (wants) this.#answer(head.copy())
      at = end
      wants ||= this.#state !== 'rest'
    }
    if (this.#state === 'over') return
    // A copy: a few bytes must not hold the whole of what came with them.
    if (at < bytes.length) this.#kept = Buffer.from(bytes.subarray(at))
    if (this.#state === 'busy') return
    if (this.#kept === undefined) this.#rest()
    else if (this.#state === 'rest' || at > 0) this.#wait()
  }

  /** Everything is answered. */
  #rest(): void {
    const { budget, date, runtime } = this.#context
    if (this.#restTick === date.tick) return
    this.#restTick = date.tick
    this.#sinceMs = runtime.monotonic()
    budget.wakes(this.#socket)
    budget.rests(this.#socket)
  }

  /** A head has begun. */
  #wait(): void {
    const { budget, runtime } = this.#context
    this.#state = 'head'
    this.#sinceMs = runtime.monotonic()
    this.#restTick = -1
    budget.rests(this.#socket)
  }

  /** True where the memo had an answer, which is then written. */
  #answerKnown(): boolean {
    const { memo, head, handler, isClosing } = this.#context
    const entry = this.#findEntry(head)
    if (entry === undefined || isClosing || handler.isFull) return false
    const answer = memo.find(entry, head.target, head)
    if (answer === undefined || !this.#isCurrent(answer)) return false
    const startedMs = handler.begin()
    handler.answered(answer.plan)
    handler.counters.fast++
    handler.counters.remembered++
    this.#state = 'rest'
    const socket = this.#socket
    const takesMore = socket.write(answer.bytes)
    if (socket.writableLength > 0) answer.pinned = true
    if (takesMore) this.#finish(answer, startedMs, head)
    else this.#waitUntilTaken(answer, startedMs, head.copy())
    return true
  }

  /** One of another epoch is decided again: most of what changes, changes other answers. */
  #isCurrent(answer: MemorisedAnswer): boolean {
    const { handler, head } = this.#context
    const { epoch } = handler
    if (answer.epoch === epoch) return true
    if (!isDeepStrictEqual(handler.consider(this.#record(head.copy())), answer.plan)) return false
    answer.epoch = epoch
    return true
  }

  /** The client takes less than it asks for: nothing more is read until it has taken what it got. */
  #waitUntilTaken(answer: MemorisedAnswer, startedMs: number, head: RequestHead): void {
    this.#work()
    this.#socket.write('', 'latin1', (error) => {
      this.#finish(answer, startedMs, head, error == null)
      if (error == null) this.#goOn()
    })
  }

  #finish({ plan, bodyBytes }: MemorisedAnswer, startedMs: number, head: RequestHead, complete = true): void {
    const { handler } = this.#context
    const ended: Ended = { protocol: 'http/1.1', startedMs, bytes: complete ? bodyBytes : 0, complete }
    if (handler.end(plan, head.method, ended)) handler.tell(this.#record(head.copy()), plan, ended)
  }

  #findEntry(head: RequestHead): HostEntry | undefined {
    const { memo, handler } = this.#context
    const entry = memo.findHost(head.host, handler.table)
    if (entry === undefined || this.#covers === undefined || this.#covered === entry) return entry
    if (!this.#covers(entry.host)) return undefined
    this.#covered = entry
    return entry
  }

  /** Answers by the request handler. `head` is one of its own. */
  #answer(head: RequestHead): void {
    const context = this.#context
    const { handler, memo, date, limits, sendsFiles } = context
    const { epoch } = handler
    const entry = this.#findEntry(head)
    const site = entry?.site
    const request = this.#record(head)
    handler.counters.fast++
    const writer = new AnswerWriter({
      socket: this.#socket,
      method: request.method,
      date,
      keepAliveS: Math.floor(limits.keepAliveMs / 1000),
      isLast: () => context.isClosing,
      captureBytes: entry === undefined ? 0 : MAX_PREPARED_BYTES,
      sendsFiles,
    })
    this.#work(writer)
    const plan = handler.handle(request, writer)
    writer.once('close', () => {
      if (entry !== undefined && site !== undefined && plan !== undefined) {
        const answer = findMemorable({ plan, site, epoch }, request, writer.captured)
        if (answer !== undefined) memo.add(entry, request.target, answer)
      }
      if (writer.isEnd) this.#end()
      else this.#goOn()
    })
  }

  #record(head: RequestHead): RecordedRequest {
    return new RecordedRequest(head, { secure: this.#context.secure, covers: this.#covers, client: this.#client })
  }

  readonly #client = () => ({ address: this.#socket.remoteAddress ?? '', country: undefined })

  #work(writer?: AnswerWriter): void {
    const { budget, runtime } = this.#context
    this.#state = 'busy'
    this.#sinceMs = runtime.monotonic()
    this.#restTick = -1
    this.#writer = writer
    budget.wakes(this.#socket)
    this.#socket.pause()
  }

  /** What was under way is done. */
  #goOn(): void {
    if (this.#state !== 'busy' || this.#socket.destroyed) return
    this.#writer = undefined
    this.#state = 'rest'
    if (this.#context.isClosing) {
      this.#end()
      return
    }
    const kept = this.#kept
    this.#kept = undefined
    if (kept === undefined) this.#rest()
    else this.#readAll(kept)
    if (!this.#isReading) return
    if (this.#socket.readableEnded) this.#onEnd()
    else this.#socket.resume()
  }

  get #isReading(): boolean {
    return this.#state === 'rest' || this.#state === 'head'
  }

  /** No request is read any more. */
  #end(): void {
    this.#state = 'over'
    const socket = this.#socket
    socket.off('data', this.#onData)
    socket.resume()
    this.#context.budget.rests(socket)
    endGently(socket, this.#context.runtime)
  }

  #refuse(code: string): void {
    this.#leave()
    this.#context.http.refuseBytes({ code }, this.#socket)
  }

  #handOver(bytes: Buffer): void {
    const { handler, http } = this.#context
    handler.counters.handedOver++
    this.#leave()
    handOver(this.#socket, bytes, http)
  }

  #leave(): void {
    const socket = this.#socket
    this.#state = 'over'
    this.#kept = undefined
    this.#context.connections.delete(this)
    this.#context.budget.rests(socket)
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.off('close', this.#onClose)
    // 'error' stays heard: between here and there none may end the process.
  }
}

const ignore = (): void => {}
