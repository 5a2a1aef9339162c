/** Linux: include/uapi/asm-generic/socket.h, and the codes of classic BPF (linux/filter.h). */
const SOL_SOCKET = 1
const SO_ATTACH_FILTER = 26
const LOAD_OCTET = 0x30
const AND = 0x54
const JUMP_IF_EQUAL = 0x15
const RETURN = 0x06

/** The octet of a TCP header that has its flags (RFC 9293 section 3.1), and what a first segment has of them. */
const FLAGS_AT = 13
const SYN = 0x02
const ACK = 0x10
const WHOLE = 0xff_ff_ff_ff

/** A filter that drops the first segment of each new connection, and nothing else. */
const INSTRUCTIONS: readonly (readonly [code: number, ifTrue: number, ifFalse: number, k: number])[] = [
  [LOAD_OCTET, 0, 0, FLAGS_AT],
  [AND, 0, 0, SYN | ACK],
  [JUMP_IF_EQUAL, 0, 1, SYN],
  [RETURN, 0, 0, 0],
  [RETURN, 0, 0, WHOLE],
]
const INSTRUCTION_BYTES = 8
const PROGRAM_BYTES = 16

/**
 * Lets no new connection begin at a listening socket, while those whose handshake has begun still come. Whoever is dropped
 * sends its first segment again a second later (RFC 6298), and reaches another socket of the port once this one is closed:
 * delayed, not refused. A socket of SO_REUSEPORT that is just closed resets all whom it has not accepted. False where that
 * cannot be had (no `node:ffi`, not Linux): it is then closed as it is.
 */
export async function quietListener(fd: number): Promise<boolean> {
  try {
    const { dlopen, getRawPointer } = await import('node:ffi')
    const { functions } = dlopen('libc.so.6', {
      setsockopt: { arguments: ['int32', 'int32', 'int32', 'buffer', 'uint32'], return: 'int32' },
    })
    const filter = Buffer.alloc(INSTRUCTIONS.length * INSTRUCTION_BYTES)
    for (const [i, [code, ifTrue, ifFalse, k]] of INSTRUCTIONS.entries()) {
      const at = i * INSTRUCTION_BYTES
      filter.writeUInt16LE(code, at)
      filter.writeUInt8(ifTrue, at + 2)
      filter.writeUInt8(ifFalse, at + 3)
      filter.writeUInt32LE(k, at + 4)
    }
    const program = Buffer.alloc(PROGRAM_BYTES)
    program.writeUInt16LE(INSTRUCTIONS.length, 0)
    program.writeBigUInt64LE(getRawPointer(filter), 8)
    const result = functions.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, PROGRAM_BYTES)
    // Named here so that it is not collected while only its address is known.
    return result === 0 && filter.length > 0
  } catch {
    return false
  }
}
