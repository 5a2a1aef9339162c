import type { Readable } from 'node:stream'
import { MakiError } from '../../core/index.ts'

/**
 * Reads lines that a server writes, as a stranger's: one that is longer than `maxBytes` ends it with MAKI_PROTOCOL, and octets
 * that are no UTF-8 become the replacement character. A last line without its end is given, too.
 */
export async function* readRemoteLines(stream: Readable, maxBytes: number): AsyncGenerator<string> {
  let kept: Buffer[] = []
  let keptBytes = 0
  for await (const chunk of stream as AsyncIterable<Uint8Array | string>) {
    let rest: Buffer = Buffer.from(chunk as Uint8Array)
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
      if (keptBytes + end > maxBytes) throw tooLong(maxBytes)
      yield Buffer.concat([...kept, rest.subarray(0, end)]).toString('utf8')
      kept = []
      keptBytes = 0
      rest = rest.subarray(end + 1)
    }
    keptBytes += rest.length
    if (keptBytes > maxBytes) throw tooLong(maxBytes)
    if (rest.length > 0) kept.push(rest)
  }
  if (keptBytes > 0) yield Buffer.concat(kept).toString('utf8')
}

/** The end of what a stream says, at most `maxBytes` of it; never rejects, and keeps the stream flowing. */
export async function readTail(stream: Readable, maxBytes: number): Promise<string> {
  let tail = Buffer.alloc(0)
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array | string>) {
      tail = Buffer.concat([tail, Buffer.from(chunk as Uint8Array)])
      if (tail.length > maxBytes) tail = tail.subarray(tail.length - maxBytes)
    }
  } catch {
    // The connection is gone; what it was about is said by whoever waits for the command.
  }
  return tail.toString('utf8')
}

const tooLong = (maxBytes: number): MakiError =>
  new MakiError('MAKI_PROTOCOL', `the server wrote a line of more than ${maxBytes} bytes`, {
    hint: 'Something other than makiatto answers there: try what it prints with ssh by hand.',
  })
