import { readFileSync } from 'node:fs'
import { buildFilter, buildRingFilter, type Machine, machineOf } from './seccomp.ts'
import { addressOf, openSystemCalls, type SystemCall } from './system-call.ts'

/**
 * What holds for a confined process. `kernel`: a filter of system calls for all its threads (no file, socket, program or other
 * process, whatever code runs in it) and a limit of its data. `runtime`: only what Node's permission model refuses, which
 * binds JavaScript and not native code.
 */
export type Confinement = 'kernel' | 'runtime'

const PR_SET_NO_NEW_PRIVS = 38n
const SECCOMP_SET_MODE_FILTER = 1n
const SECCOMP_FILTER_FLAG_TSYNC = 1n
const F_GETFL = 3n
const F_SETFL = 4n
/** The same on the architectures that a table is written for. */
const O_NONBLOCK = 0o4000n
const RLIMIT_FSIZE = 1n
const RLIMIT_DATA = 2n
const RLIMIT_CORE = 4n

/** Keeps io_uring from this process and from the program that it starts next. False where that cannot be done. */
export async function refuseRings(): Promise<boolean> {
  return await apply(async (machine, call) => setFilter(machine, call, buildRingFilter(machine)))
}

/** Lets who reads from a descriptor, or writes to it, wait in the kernel. False where that cannot be done. */
export async function makeBlocking(fd: number): Promise<boolean> {
  return await apply(async (machine, call) => {
    const flags = call(machine.fcntl, BigInt(fd), F_GETFL)
    call(machine.fcntl, BigInt(fd), F_SETFL, flags & ~O_NONBLOCK)
  })
}

/**
 * Gives up, for good, everything that a process does not need that computes alone. What it is still to load must be loaded before, and its
 * process have been started after `refuseRings`. `dataBytes` is what it may allocate beyond what it has.
 */
export async function confine(dataBytes: number): Promise<Confinement> {
  const done = await apply(async (machine, call) => {
    const limit = async (resource: bigint, most: number): Promise<void> => {
      const pair = Buffer.from(new BigUint64Array([BigInt(most), BigInt(most)]).buffer)
      call(machine.prlimit64, 0n, resource, await addressOf(pair))
    }
    await limit(RLIMIT_CORE, 0)
    await limit(RLIMIT_FSIZE, 0)
    await limit(RLIMIT_DATA, readDataBytes() + dataBytes)
    await setFilter(machine, call, buildFilter(machine, process.pid))
  })
  return done ? 'kernel' : 'runtime'
}

async function apply(act: (machine: Machine, call: SystemCall) => Promise<void>): Promise<boolean> {
  const machine = process.platform === 'linux' ? machineOf(process.arch) : undefined
  if (machine === undefined) return false
  try {
    await act(machine, await openSystemCalls())
    return true
  } catch {
    return false
  }
}

async function setFilter(machine: Machine, call: SystemCall, filter: Buffer): Promise<void> {
  const program = Buffer.alloc(16)
  program.writeUInt16LE(filter.length / 8, 0)
  program.writeBigUInt64LE(await addressOf(filter), 8)
  call(machine.prctl, PR_SET_NO_NEW_PRIVS, 1n)
  call(machine.seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, await addressOf(program))
}

/** Private memory that may be written to, as RLIMIT_DATA counts it. */
function readDataBytes(): number {
  const text = readFileSync('/proc/self/status', 'utf8')
  const kib = /^VmData:\s+(\d+) kB$/m.exec(text)?.[1]
  if (kib === undefined) throw new Error('the size of the data segment is unknown')
  return Number(kib) * 1024
}
