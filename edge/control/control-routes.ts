import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { getRouterParam, type H3, type H3Event, HTTPResponse } from 'h3'
import { MakiError, parseBlobHash } from '../../core/index.ts'
import { exactly } from '../transport/index.ts'
import {
  CONTROL_LIMITS,
  CONTROL_PATHS,
  type ControlBackend,
  MESSAGEPACK_TYPE,
  type MissingReport,
  type PackReport,
} from './control-api.ts'
import { parseMissingRequest, readBody, streamBody } from './control-body.ts'
import type { EventStreams, Subscribe } from './control-events.ts'
import { formatLogEvent, type LogReport, parseLogQuery } from './control-logs.ts'
import { type EpochReport, parseSameRequest, SAME_LIMITS, type SameReport } from './control-seals.ts'
import { encodeOperationsPage, parseOperationBatch } from './operation-batch.ts'

/** 64 digits, quotes and a comma each. */
const MISSING_BYTES = CONTROL_LIMITS.missingHashes * 70
/** An id, a time or a cursor; none is longer. */
const MAX_PARAMETER_LENGTH = 200
/** A name of 255 octets, each of which may be written in four characters. */
const MAX_NAME_LENGTH = 1024
const MAX_EVENT_STREAMS = 64

/** The routes of the control API; see `CONTROL_PATHS` for what each takes and gives. */
export function addRoutes(app: H3, backend: ControlBackend, events: EventStreams): void {
  const { blobs } = backend
  const blobPath = `${CONTROL_PATHS.blobs}/:hash`

  app.get(CONTROL_PATHS.status, async () => json(await backend.status()))
  app.get(CONTROL_PATHS.state, async (event) => json(await backend.state(findParameter(event, 'at'))))
  app.get(CONTROL_PATHS.metrics, async () =>
    answer(await backend.metrics(), 'text/plain; version=0.0.4; charset=utf-8'),
  )
  app.get(CONTROL_PATHS.events, () => openEvents(events))
  app.get(CONTROL_PATHS.logs, (event) => {
    const { logs } = backend
    if (logs === undefined) throw new MakiError('MAKI_UNSUPPORTED', 'this node keeps no log')
    const { follow, ...query } = parseLogQuery((name) => findParameter(event, name, MAX_NAME_LENGTH))
    if (!follow) return json({ lines: logs.read(query) } satisfies LogReport)
    return openEvents(events, (send) => {
      for (const line of logs.read(query)) send(formatLogEvent(line))
      return logs.follow(query, (line) => send(formatLogEvent(line)))
    })
  })

  app.get(CONTROL_PATHS.dnsExplain, async (event) =>
    json(
      await backend.explain({
        name: findParameter(event, 'name', MAX_NAME_LENGTH) ?? '',
        type: findParameter(event, 'type') ?? '',
        client: findParameter(event, 'client'),
        resolver: findParameter(event, 'resolver'),
      }),
    ),
  )

  app.post(CONTROL_PATHS.operations, async (event) => {
    const body = await readBody(nodeRequest(event), CONTROL_LIMITS.batchBytes)
    return json(await backend.accept(parseOperationBatch(body)))
  })
  app.get(CONTROL_PATHS.operations, async (event) => {
    const page = await backend.operations(findParameter(event, 'after'))
    return answer(encodeOperationsPage(page), MESSAGEPACK_TYPE)
  })

  app.post(CONTROL_PATHS.blobsMissing, async (event) => {
    const { hashes } = parseMissingRequest(await readBody(nodeRequest(event), MISSING_BYTES))
    return json({ missing: await blobs.missing(hashes) } satisfies MissingReport)
  })
  app.post(CONTROL_PATHS.sealsEpoch, async () => json({ epoch: await backend.seals.epoch() } satisfies EpochReport))
  app.post(CONTROL_PATHS.sealsSame, async (event) => {
    const request = parseSameRequest(await readBody(nodeRequest(event), SAME_LIMITS.bytes))
    return json({ same: await backend.seals.same(request) } satisfies SameReport)
  })
  // Bodies are read from node's own request: h3's `event.req.body` would wrap every chunk in a web stream's.
  app.post(CONTROL_PATHS.blobsPack, async (event) => {
    return json({ stored: await blobs.putPack(streamBody(nodeRequest(event))) } satisfies PackReport)
  })
  app.put(blobPath, async (event) => {
    await blobs.put(parseBlobHash(getRouterParam(event, 'hash') ?? ''), streamBody(nodeRequest(event)))
    return new HTTPResponse(null, { status: 204 })
  })
  app.get(blobPath, async (event) => {
    const hash = parseBlobHash(getRouterParam(event, 'hash') ?? '')
    const sizeBytes = await blobs.size(hash)
    if (sizeBytes === undefined) throw new MakiError('MAKI_NOT_FOUND', `the blob ${hash} is not on this node`)
    // Opened when it is read: a client that has left by then leaves no open file behind.
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield* (await blobs.stream(hash)) as Readable
    }
    const body = Readable.from(exactly(sizeBytes, `the blob ${hash}`)(source()), { objectMode: false })
    return answer(body, 'application/octet-stream', { 'content-length': String(sizeBytes) })
  })
}

/** The request as node:http has it. The server is node's, so it is always there. */
export function nodeRequest(event: H3Event): IncomingMessage {
  return event.runtime?.node?.req as IncomingMessage
}

function openEvents(events: EventStreams, subscribe?: Subscribe): HTTPResponse {
  if (events.count >= MAX_EVENT_STREAMS) {
    throw new MakiError('MAKI_UNREACHABLE', `${MAX_EVENT_STREAMS} event streams are open, no more are allowed`)
  }
  return answer(events.open(subscribe), 'text/event-stream; charset=utf-8', { 'cache-control': 'no-store' })
}

function findParameter(event: H3Event, name: string, maxLength = MAX_PARAMETER_LENGTH): string | undefined {
  const value = event.url.searchParams.get(name)
  if (value !== null && value.length > maxLength)
    throw new MakiError('MAKI_INVALID', `the parameter ${name} has more than ${maxLength} characters`)
  return value ?? undefined
}

function json(value: object): HTTPResponse {
  return answer(JSON.stringify(value), 'application/json')
}

type Body = string | Uint8Array<ArrayBuffer> | Readable

function answer(body: Body, contentType: string, headers: Record<string, string> = {}): HTTPResponse {
  // h3 pipes a node stream into node's response, with backpressure.
  return new HTTPResponse(body, { headers: { ...headers, 'content-type': contentType } })
}
