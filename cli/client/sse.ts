import type { ControlEvent } from '../../edge/index.ts'

/** No event is longer; a line that is belongs to no honest node. */
const MAX_LINE_LENGTH = 16 * 1024 * 1024

/** Reads server-sent events (WHATWG HTML, section 9.2) whose data is JSON. What is not, and unknown names, are skipped. */
export async function* readEventStream(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ControlEvent> {
  for await (const { data } of readServerSentEvents(chunks)) {
    const event = findEvent(data)
    if (event !== undefined) yield event
  }
}

/** An event as it was sent; texts are empty where it has none. */
export interface ServerSentEvent {
  readonly id: string
  readonly data: string
}

/** Reads server-sent events (WHATWG HTML, section 9.2) that have data, until the other side ends or sends what is none. */
export async function* readServerSentEvents(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder()
  let buffer = ''
  let data: string[] = []
  let id = ''
  for await (const chunk of chunks) {
    buffer += decoder.decode(chunk, { stream: true })
    if (buffer.length > MAX_LINE_LENGTH) return
    const lines = buffer.split(/\r\n|\n|\r(?!$)/)
    buffer = lines.pop() as string
    for (const line of lines) {
      if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5))
      else if (line.startsWith('id:')) id = line.slice(line[3] === ' ' ? 4 : 3)
      else if (line === '') {
        if (data.length > 0) yield { id, data: data.join('\n') }
        data = []
      }
    }
  }
}

function findEvent(text: string): ControlEvent | undefined {
  if (text === '') return undefined
  try {
    const value = JSON.parse(text) as ControlEvent
    return value.event === 'operations' || value.event === 'nodes' ? value : undefined
  } catch {
    return undefined
  }
}
