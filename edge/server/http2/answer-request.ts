import { isDeepStrictEqual } from 'node:util'
import { findMemorable, type HostEntry, MAX_PREPARED_BYTES, type MemorisedAnswer } from '../fast/index.ts'
import type { Ended } from '../request-handler.ts'
import type { FieldList } from './field-list.ts'
import type { Http2Context } from './http2-context.ts'
import { RecordedStream, type StreamPeer } from './recorded-stream.ts'
import type { Stream } from './stream.ts'
import { StreamWriter } from './stream-writer.ts'
import type { Streams } from './streams.ts'

/** Of what is remembered: longer ones are rare, and might fill the memo unseen. */
const MAX_TARGET_BYTES = 2048

/** Answers the requests of one connection: from memory what was asked before, the rest by the request handler. */
export class StreamAnswerer {
  readonly #context: Http2Context
  readonly #peer: StreamPeer
  readonly #flush: () => void
  /** The last host that its certificate was found to be one for. */
  #covered: HostEntry | undefined

  constructor(context: Http2Context, peer: StreamPeer, flush: () => void) {
    this.#context = context
    this.#peer = peer
    this.#flush = flush
  }

  answer(streams: Streams, stream: Stream, head: FieldList): void {
    const { handler, memo, date } = this.#context
    const entry = this.#findEntry(head)
    const { epoch } = handler
    const target = head.path as string
    if (entry !== undefined && !handler.isFull) {
      const known = memo.find(entry, target, head)
      if (known !== undefined && this.#isCurrent(known, head) && this.#give(streams, stream, head, known)) return
    }
    const site = entry?.site
    const request = new RecordedStream(head, this.#peer, stream.content)
    const captureBytes = entry === undefined ? 0 : MAX_PREPARED_BYTES
    const writer = new StreamWriter({ streams, stream, date, captureBytes, flush: this.#flush })
    const decided = head.isOversized ? handler.refuse(request, 431) : undefined
    const plan = handler.handle(request, writer, 'h2', decided)
    if (entry === undefined || site === undefined || plan === undefined) return
    writer.once('close', () => {
      const answer = findMemorable(
        { plan, site, epoch },
        request as RecordedStream & { method: 'GET' },
        writer.captured,
      )
      if (answer !== undefined) memo.add(entry, target, answer)
    })
  }

  /** Undefined where answers are not to be remembered. */
  #findEntry(head: FieldList): HostEntry | undefined {
    const { memo, handler } = this.#context
    const { method, host, path } = head
    if ((method !== 'GET' && method !== 'HEAD') || host === undefined || path === undefined) return undefined
    if (head.isOversized || path.length > MAX_TARGET_BYTES || !this.#peer.isDirect) return undefined
    const entry = memo.findHost(host, handler.table)
    if (entry === undefined || this.#covered === entry) return entry
    if (this.#peer.covers?.(entry.host) !== true) return undefined
    this.#covered = entry
    return entry
  }

  /** One of another epoch is decided again: most of what changes, changes other answers. */
  #isCurrent(answer: MemorisedAnswer, head: FieldList): boolean {
    const { handler } = this.#context
    const { epoch } = handler
    if (answer.epoch === epoch) return true
    if (!isDeepStrictEqual(handler.consider(new RecordedStream(head, this.#peer)), answer.plan)) return false
    answer.epoch = epoch
    return true
  }

  /** False where the client takes less at once: then it is sent as others are, as the client takes it. */
  #give(streams: Streams, stream: Stream, head: FieldList, answer: MemorisedAnswer): boolean {
    const { handler } = this.#context
    const { plan, bytes, headBytes, bodyBytes } = answer
    if (headBytes === undefined || !streams.sender.fits(stream, bytes.length - headBytes)) return false
    const startedMs = handler.begin()
    handler.answered(plan)
    handler.counters.fast++
    handler.counters.remembered++
    streams.sender.answer(stream, bytes, headBytes)
    const ended: Ended = { protocol: 'h2', startedMs, bytes: bodyBytes, complete: true }
    if (handler.end(plan, head.isHead ? 'HEAD' : 'GET', ended))
      handler.tell(new RecordedStream(head, this.#peer), plan, ended)
    return true
  }
}
