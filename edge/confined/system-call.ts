/** Makes a system call and gives what it returned; values that are not given are 0. Throws where the system refuses it. */
export type SystemCall = (number: number, ...values: bigint[]) => bigint

/** System calls by their numbers, through the C library; rejects where this Node or this system cannot. */
export async function openSystemCalls(): Promise<SystemCall> {
  const { dlopen } = await import('node:ffi')
  const { functions } = dlopen(null, {
    syscall: { arguments: ['i64', 'i64', 'i64', 'i64', 'i64', 'i64'], return: 'i64' },
  })
  return (number, ...values) => {
    // All five that a call may look at: some refuse what they do not know in those that they do not need.
    const [a = 0n, b = 0n, c = 0n, d = 0n, e = 0n] = values
    const returned: bigint = functions.syscall(BigInt(number), a, b, c, d, e)
    if (returned < 0n) throw new Error(`system call ${number} was refused`)
    return returned
  }
}

/** Where bytes lie; whoever hands it on keeps them reachable while it is used. */
export async function addressOf(bytes: Buffer): Promise<bigint> {
  const { getRawPointer } = await import('node:ffi')
  return getRawPointer(bytes)
}
