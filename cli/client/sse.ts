import type { ControlEvent } from '../../edge/index.ts'

/** No event is longer; a line that is belongs to no honest node. */
const MAX_LINE_LENGTH = 16 * 1024 * 1024

/** Reads server-sent events (WHATWG HTML, section 9.2) whose data is JSON. What is not, and unknown names, are skipped. */
export async function* readEventStream(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ControlEvent> {
  const decoder = new TextDecoder()
  let buffer = ''
  let data: string[] = []
  for await (const chunk of chunks) {
    buffer += decoder.decode(chunk, { stream: true })
    if (buffer.length > MAX_LINE_LENGTH) return
    const lines = buffer.split(/\r\n|\n|\r(?!$)/)
    buffer = lines.pop() as string
    for (const line of lines) {
      if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5))
      else if (line === '') {
        const event = findEvent(data.join('\n'))
        data = []
        if (event !== undefined) yield event
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
