import { type Agent, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http'
import { Readable } from 'node:stream'
import {
  type BlobHash,
  type ClusterId,
  isBlobHash,
  isId,
  MakiError,
  type Runtime,
  type SealEpochKey,
  type Signer,
} from '../../core/index.ts'
import {
  type AcceptReport,
  type ClusterStatus,
  CONTROL_LIMITS,
  CONTROL_PATHS,
  type ControlEvent,
  decodeOperationsPage,
  type EpochReport,
  type ExplainParameters,
  encodeOperationBatch,
  type KeptLine,
  type LogQuery,
  type LogReport,
  MESSAGEPACK_TYPE,
  type MissingReport,
  type OperationsPage,
  type PackReport,
  SAME_LIMITS,
  type SameItem,
  type SameReport,
  signSameRequest,
} from '../../edge/control/index.ts'
import type { ExplainReport } from '../explain-report.ts'
import { findErrorShape, readAll } from './answer-body.ts'
import { isClusterStatus } from './cluster-status.ts'
import { explainFailure, formatQuery } from './control-request.ts'
import { type ControlWay, createControlAgent } from './control-way.ts'
import { isExplainReport } from './explain-shape.ts'
import { isKeptLine, readLogStream } from './log-lines.ts'
import { readEventStream } from './sse.ts'
import { silentFor, stoppedIn, tellChunks, watchFlow } from './watch-flow.ts'

/** How long a node may take to begin its answer, and be silent in the middle of it; a wedged one is as good as down. */
const ANSWER_MS = 15_000
/** How long a node may take nothing of what is sent to it, and may write to its disk at the end. */
const UPLOAD_MS = 120_000
/** An error answer is a small object; more is not read. */
const MAX_ERROR_BYTES = 64 * 1024
const MAX_ANSWER_BYTES = 256 * 1024 * 1024

const JSON_TYPE = 'application/json'

interface RequestOptions {
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>
  readonly type?: string
  readonly signal?: AbortSignal | undefined
  readonly answerMs?: number
}

/**
 * The control API of one node. Every method throws MAKI_UNREACHABLE or MAKI_TIMEOUT where the node does not answer, and
 * the node's own MakiError where it refuses.
 */
export class ControlClient implements Disposable {
  readonly #agent: Agent
  readonly #way: ControlWay
  readonly #name: string
  readonly #runtime: Pick<Runtime, 'after'> & Partial<Pick<Runtime, 'now'>>
  #clockAheadMs: number | undefined

  /** `name` is the machine's, for messages. */
  constructor(
    options: ControlWay & {
      name: string
      runtime: Pick<Runtime, 'after'> & Partial<Pick<Runtime, 'now'>>
    },
  ) {
    this.#way = options
    this.#agent = createControlAgent(options)
    this.#name = options.name
    this.#runtime = options.runtime
  }

  /**
   * How far the clock here is ahead of the node's, by the date of its last answer (RFC 9110 section 6.6.1), which is cut to
   * whole seconds; undefined before one, or where it has none.
   */
  get clockAheadMs(): number | undefined {
    return this.#clockAheadMs
  }

  async status(options: { signal?: AbortSignal; answerMs?: number } = {}): Promise<ClusterStatus> {
    const status = await this.#json('GET', CONTROL_PATHS.status, options)
    if (!isClusterStatus(status)) throw this.#protocol('its status has another shape')
    return status
  }

  /** Hands operations in; when it resolves they are durable at the node. All or nothing. */
  async accept(operations: readonly Uint8Array[], signal?: AbortSignal): Promise<AcceptReport> {
    const body = encodeOperationBatch(operations)
    return (await this.#json('POST', CONTROL_PATHS.operations, {
      body,
      type: MESSAGEPACK_TYPE,
      signal,
    })) as AcceptReport
  }

  /** What the node stored after the cursor, in its order of arrival. */
  async operations(after: string | undefined, signal?: AbortSignal): Promise<OperationsPage> {
    const query = after === undefined ? '' : `?after=${encodeURIComponent(after)}`
    return decodeOperationsPage(await this.#bytes('GET', `${CONTROL_PATHS.operations}${query}`, { signal }))
  }

  /** Why the node answers a DNS question as it does; what cannot be asked is refused there (MAKI_INVALID). */
  async explain(question: ExplainParameters, signal?: AbortSignal): Promise<ExplainReport> {
    const path = `${CONTROL_PATHS.dnsExplain}${formatQuery({ ...question })}`
    const report = await this.#json('GET', path, { signal })
    if (!isExplainReport(report)) throw this.#protocol('its explanation has another shape')
    return report
  }

  /** Those of `hashes` that are not whole on the node. */
  async missingBlobs(hashes: readonly BlobHash[], signal?: AbortSignal): Promise<BlobHash[]> {
    const missing: BlobHash[] = []
    for (let at = 0; at < hashes.length; at += CONTROL_LIMITS.missingHashes) {
      const asked = hashes.slice(at, at + CONTROL_LIMITS.missingHashes)
      const body = Buffer.from(JSON.stringify({ hashes: asked }))
      const answer = (await this.#json('POST', CONTROL_PATHS.blobsMissing, {
        body,
        type: JSON_TYPE,
        signal,
      })) as Partial<MissingReport> | null
      const said: unknown = answer?.missing
      if (!Array.isArray(said) || !said.every((hash): hash is BlobHash => typeof hash === 'string' && isBlobHash(hash)))
        throw this.#protocol('its list of missing blobs has another shape')
      missing.push(...said)
    }
    return missing
  }

  /** Sends many blobs as one pack (`encodePack`); resolves with their number when all are durable at the node. */
  async putBlobPack(pack: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<number> {
    const type = 'application/octet-stream'
    const options = { body: pack, type, signal, answerMs: UPLOAD_MS }
    const report = (await this.#json('POST', CONTROL_PATHS.blobsPack, options)) as Partial<PackReport> | null
    if (!Number.isSafeInteger(report?.stored)) throw this.#protocol('its report of stored blobs has another shape')
    return report?.stored as number
  }

  /** The epoch to seal to; the node begins one where there is none. */
  async sealEpoch(signal?: AbortSignal): Promise<SealEpochKey> {
    const report = (await this.#json('POST', CONTROL_PATHS.sealsEpoch, { signal })) as Partial<EpochReport> | null
    const epoch: unknown = report?.epoch
    if (typeof epoch !== 'string' || !isId(epoch)) throw this.#protocol('its seal epoch has another shape')
    return epoch as SealEpochKey
  }

  /** For each item whether both values are the same, asked as a member; nothing goes there or comes back in clear. */
  async compareSealed(
    items: readonly SameItem[],
    asker: { signer: Signer; cluster: ClusterId },
    signal?: AbortSignal,
  ): Promise<boolean[]> {
    const same: boolean[] = []
    for (let at = 0; at < items.length; at += SAME_LIMITS.items) {
      const asked = signSameRequest(asker.signer, asker.cluster, items.slice(at, at + SAME_LIMITS.items))
      const body = Buffer.from(JSON.stringify(asked))
      const options = { body, type: JSON_TYPE, signal }
      const report = (await this.#json('POST', CONTROL_PATHS.sealsSame, options)) as Partial<SameReport> | null
      if (!Array.isArray(report?.same)) throw this.#protocol('its comparison has another shape')
      same.push(...report.same.map((one) => one === true))
    }
    if (same.length !== items.length) throw this.#protocol('its comparison has another length')
    return same
  }

  /** What the node counts, in the text format of Prometheus. */
  async metrics(signal?: AbortSignal): Promise<string> {
    return Buffer.from(await this.#bytes('GET', CONTROL_PATHS.metrics, { signal })).toString('utf8')
  }

  async readBlob(hash: BlobHash, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#bytes('GET', `${CONTROL_PATHS.blobs}/${hash}`, { signal })
  }

  /** What happens at the node, until the caller stops or the node goes. Resolves when the node has begun to tell. */
  async events(signal?: AbortSignal): Promise<AsyncIterable<ControlEvent>> {
    return readEventStream(await this.#request('GET', CONTROL_PATHS.events, { signal }))
  }

  /** The last lines of the node's log. */
  async logs(query: LogQuery, signal?: AbortSignal): Promise<readonly KeptLine[]> {
    const report = (await this.#json('GET', `${CONTROL_PATHS.logs}${formatQuery({ ...query })}`, {
      signal,
    })) as Partial<LogReport> | null
    const lines: unknown = report?.lines
    if (!Array.isArray(lines) || !lines.every(isKeptLine)) throw this.#protocol('its log has another shape')
    return lines
  }

  /** The last lines of the node's log and all that come, until the caller stops or the node goes. */
  async followLogs(query: LogQuery, signal?: AbortSignal): Promise<AsyncIterable<KeptLine>> {
    const path = `${CONTROL_PATHS.logs}${formatQuery({ ...query, follow: '1' })}`
    return readLogStream(await this.#request('GET', path, { signal }))
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
    this.#way.onDispose?.()
  }

  async #json(method: string, path: string, options: RequestOptions = {}): Promise<unknown> {
    const bytes = await this.#bytes(method, path, options)
    try {
      return JSON.parse(Buffer.from(bytes).toString('utf8'))
    } catch (cause) {
      throw this.#protocol('its answer is not JSON', cause)
    }
  }

  async #bytes(method: string, path: string, options: RequestOptions = {}): Promise<Uint8Array> {
    const response = await this.#request(method, path, options)
    const silentMs = options.answerMs ?? ANSWER_MS
    using flow = watchFlow(this.#runtime, silentMs, () => response.destroy(stoppedIn(this.#name, silentMs)))
    try {
      return await readAll(tellChunks(response, flow.moved), MAX_ANSWER_BYTES)
    } catch (cause) {
      throw this.#explain(cause, options.signal)
    }
  }

  /** Resolves with the head of an answer that is no error; its body is still to be read. */
  async #request(method: string, path: string, options: RequestOptions): Promise<IncomingMessage> {
    const response = await this.#send(method, path, options)
    const status = response.statusCode ?? 0
    if (status >= 200 && status < 300) return response
    throw await this.#refusal(response, `${method} ${path.split('?')[0]}`)
  }

  #send(method: string, path: string, options: RequestOptions): Promise<IncomingMessage> {
    const { body, signal } = options
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const headers: OutgoingHttpHeaders = { accept: '*/*' }
    if (options.type !== undefined) headers['content-type'] = options.type
    if (body instanceof Uint8Array) headers['content-length'] = body.length
    const { socketPath } = this.#way
    const to = socketPath === undefined ? {} : { socketPath }
    // The way leaves the host free: the name is only for the node's own log.
    const outgoing = request({ agent: this.#agent, ...to, host: 'makiatto', method, path, headers, signal })
    const { answerMs = ANSWER_MS } = options
    const flow = watchFlow(this.#runtime, answerMs, () => {
      outgoing.destroy(silentFor(this.#name, answerMs))
    })
    outgoing.on('response', (response) => {
      flow[Symbol.dispose]()
      const dateMs = Date.parse(response.headers.date ?? '')
      if (this.#runtime.now !== undefined && Number.isFinite(dateMs)) this.#clockAheadMs = this.#runtime.now() - dateMs
      resolve(response)
    })
    outgoing.on('error', (error) => {
      flow[Symbol.dispose]()
      reject(this.#explain(error, signal))
    })
    if (body === undefined || body instanceof Uint8Array) outgoing.end(body)
    else {
      const source = Readable.from(tellChunks(body, flow.moved))
      // A node that refuses early answers before it has read all: that answer counts, not the broken pipe.
      source.on('error', (error) => outgoing.destroy(error))
      outgoing.on('close', () => source.destroy())
      source.pipe(outgoing)
    }
    return promise
  }

  async #refusal(response: IncomingMessage, what: string): Promise<MakiError> {
    using _flow = watchFlow(this.#runtime, ANSWER_MS, () => response.destroy())
    const text = await readAll(response, MAX_ERROR_BYTES).then(
      (bytes) => Buffer.from(bytes).toString('utf8'),
      () => '',
    )
    const shape = findErrorShape(text)
    if (shape === undefined) return this.#protocol(`it answered ${what} with status ${response.statusCode}`)
    return new MakiError(shape.code, shape.message, shape.hint === undefined ? {} : { hint: shape.hint })
  }

  #explain(error: unknown, signal: AbortSignal | undefined): unknown {
    return explainFailure(error, { name: this.#name, way: this.#way, signal })
  }

  #protocol(why: string, cause?: unknown): MakiError {
    return new MakiError('MAKI_PROTOCOL', `${this.#name} does not speak the control protocol as expected: ${why}`, {
      cause,
      hint: 'Check with maki --version and makiatto --version that both are of one release.',
    })
  }
}
