import { MakiError } from '../../../core/index.ts'
import { readAttributes, readText } from './attributes.ts'

/** Messages of netlink: linux/netlink.h. */
export interface NetlinkMessage {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  readonly body: Buffer
}

/** What the kernel says of a request that it refused. */
export interface NetlinkFault {
  /** A number of errno(3), positive; 0 where it was done. */
  readonly errno: number
  /** What is wrong in words, where the kernel says it. */
  readonly text: string | undefined
}

export const NLM_REQUEST = 0x1
export const NLM_ACK = 0x4
/** The dump was of a state that changed meanwhile. */
export const NLM_DUMP_INTERRUPTED = 0x10
export const NLM_DUMP = 0x300
/** Refused where it is there already. */
export const NLM_EXCL = 0x200
export const NLM_REPLACE = 0x100
export const NLM_CREATE = 0x400
export const NLM_APPEND = 0x800

export const NLMSG_NOOP = 1
export const NLMSG_ERROR = 2
export const NLMSG_DONE = 3

const HEADER_BYTES = 16
const ERROR_BYTES = 4
const FLAG_CAPPED = 0x100
const FLAG_WORDS = 0x200
/** NLMSGERR_ATTR_MSG. */
const ATTRIBUTE_WORDS = 1

/** One message with its header, filled up to a multiple of four bytes. */
export function encodeMessage({ type, flags, sequence, body }: NetlinkMessage): Buffer {
  const length = HEADER_BYTES + body.length
  const bytes = Buffer.alloc((length + 3) & ~3)
  bytes.writeUInt32LE(length, 0)
  bytes.writeUInt16LE(type, 4)
  bytes.writeUInt16LE(flags, 6)
  bytes.writeUInt32LE(sequence >>> 0, 8)
  bytes.set(body, HEADER_BYTES)
  return bytes
}

/** The messages of a datagram. Throws MAKI_PROTOCOL where it is cut or lies about a length. */
export function decodeMessages(bytes: Buffer): readonly NetlinkMessage[] {
  const messages: NetlinkMessage[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.length - at < HEADER_BYTES ? 0 : bytes.readUInt32LE(at)
    if (length < HEADER_BYTES || at + length > bytes.length)
      throw new MakiError('MAKI_PROTOCOL', 'netlink: a message of a wrong length')
    messages.push({
      type: bytes.readUInt16LE(at + 4),
      flags: bytes.readUInt16LE(at + 6),
      sequence: bytes.readUInt32LE(at + 8),
      body: bytes.subarray(at + HEADER_BYTES, at + length),
    })
    at += (length + 3) & ~3
  }
  return messages
}

/** What a message of the type NLMSG_ERROR or NLMSG_DONE says. Throws MAKI_PROTOCOL for one that is cut. */
export function readFault({ body, flags, type }: NetlinkMessage): NetlinkFault {
  if (body.length < ERROR_BYTES) {
    if (type === NLMSG_DONE) return { errno: 0, text: undefined }
    throw new MakiError('MAKI_PROTOCOL', 'netlink: an answer that is cut')
  }
  const errno = -body.readInt32LE(0)
  if (errno === 0 || (flags & FLAG_WORDS) === 0 || type === NLMSG_DONE) return { errno, text: undefined }
  // The request comes back with it, whole or its header alone.
  const requestBytes = body.length < ERROR_BYTES + HEADER_BYTES ? 0 : body.readUInt32LE(ERROR_BYTES)
  const skipped = (flags & FLAG_CAPPED) === 0 ? Math.max(requestBytes, HEADER_BYTES) : HEADER_BYTES
  const words = readAttributes(body.subarray(Math.min(body.length, ERROR_BYTES + ((skipped + 3) & ~3))))
  return { errno, text: readText(words.get(ATTRIBUTE_WORDS)) }
}
