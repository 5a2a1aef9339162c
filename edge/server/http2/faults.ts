import { CODE, ConnectionFault, FLAG } from './frames.ts'

/** Octets of a frame that are no content: the padding, and what says how long it is (RFC 9113 section 6.1). */
export function paddingOf(flags: number, bytes: Buffer, start: number, end: number): number {
  if ((flags & FLAG.padded) === 0) return 0
  hasLength(end > start)
  const padding = (bytes[start] as number) + 1
  needs(padding <= end - start, 'more padding than there is')
  return padding
}

/** Throws a ConnectionFault with PROTOCOL_ERROR where something is not as it has to be. */
export function needs(isRight: boolean, what: string): void {
  if (!isRight) throw broken(what)
}

/** Throws one with FRAME_SIZE_ERROR where a frame is not as long as it has to be. */
export function hasLength(isRight: boolean): void {
  if (!isRight) throw new ConnectionFault(CODE.frameSize, 'a frame of another length than it can have')
}

/** A breach of the protocol that has no code of its own. */
export const broken = (what: string): ConnectionFault => new ConnectionFault(CODE.protocol, what)
