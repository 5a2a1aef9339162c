import type { KeptLine } from '../../edge/index.ts'
import { readServerSentEvents } from './sse.ts'

/** Whether what a node sent is a line of its log; what stands in it may be anything. */
export function isKeptLine(value: unknown): value is KeptLine {
  const { cursor, line } = (value ?? {}) as Partial<KeptLine>
  return typeof cursor === 'string' && isLine(line)
}

const isLine = (value: unknown): value is KeptLine['line'] =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Reads what GET /v1/logs?follow=1 sends. What is no line is skipped. */
export async function* readLogStream(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<KeptLine> {
  for await (const { id, data } of readServerSentEvents(chunks)) {
    try {
      const line: unknown = JSON.parse(data)
      if (isLine(line)) yield { cursor: id, line }
    } catch {
      // No line of a node of ours.
    }
  }
}
