/** What of a process's architecture a filter has to know; undefined in `machineOf` for what no table is written for. */
export interface Machine {
  /** AUDIT_ARCH_… of linux/audit.h. */
  readonly audit: number
  readonly allowed: readonly number[]
  readonly clone: number
  readonly clone3: number
  readonly fcntl: number
  readonly ioctl: number
  readonly prctl: number
  readonly prlimit64: number
  readonly tgkill: number
  readonly seccomp: number
}

/**
 * What a process needs that reads and writes what is open already, computes, allocates, and starts threads: nothing opens a
 * file, makes or connects a socket, runs a program, or touches another process.
 */
const X64: readonly number[] = [
  // read write close fstat poll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn
  0, 1, 3, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15,
  // pread64 pwrite64 readv writev sched_yield mremap mincore madvise dup dup2 nanosleep getpid
  17, 18, 19, 20, 24, 25, 27, 28, 32, 33, 35, 39,
  // sendto recvfrom sendmsg recvmsg shutdown getsockname setsockopt getsockopt: on the two sockets that are there
  44, 45, 46, 47, 48, 51, 54, 55,
  // exit uname gettimeofday getrusage sysinfo times getuid getgid geteuid getegid getppid sigaltstack
  60, 63, 96, 98, 99, 100, 102, 104, 107, 108, 110, 131,
  // getpriority sched_getparam sched_getscheduler gettid futex sched_getaffinity set_tid_address
  140, 143, 145, 186, 202, 204, 218,
  // restart_syscall clock_gettime clock_getres clock_nanosleep exit_group epoll_wait epoll_ctl ppoll set_robust_list
  219, 228, 229, 230, 231, 232, 233, 271, 273,
  // epoll_pwait eventfd2 epoll_create1 dup3 pipe2 getcpu getrandom membarrier pkey_mprotect rseq epoll_pwait2
  281, 290, 291, 292, 293, 309, 318, 324, 329, 334, 441,
]

/** The same calls by the numbers of asm-generic. */
const ARM64: readonly number[] = [
  19, 20, 21, 22, 23, 24, 57, 59, 62, 63, 64, 65, 66, 67, 68, 73, 80, 93, 94, 96, 98, 99, 101, 113, 114, 115, 120, 121,
  123, 124, 128, 132, 134, 135, 139, 141, 153, 160, 165, 168, 169, 172, 173, 174, 175, 176, 177, 178, 179, 204, 206,
  207, 208, 209, 210, 211, 212, 214, 215, 216, 222, 226, 232, 233, 278, 283, 288, 293, 441,
]

const MACHINES: Readonly<Record<string, Machine>> = {
  x64: {
    audit: 0xc000003e,
    allowed: X64,
    clone: 56,
    clone3: 435,
    fcntl: 72,
    ioctl: 16,
    prctl: 157,
    prlimit64: 302,
    tgkill: 234,
    seccomp: 317,
  },
  arm64: {
    audit: 0xc00000b7,
    allowed: ARM64,
    clone: 220,
    clone3: 435,
    fcntl: 25,
    ioctl: 29,
    prctl: 167,
    prlimit64: 261,
    tgkill: 131,
    seccomp: 277,
  },
}

/** Undefined for an architecture that no filter is written for. */
export function machineOf(arch: string): Machine | undefined {
  return Object.hasOwn(MACHINES, arch) ? MACHINES[arch] : undefined
}

// linux/bpf_common.h and linux/seccomp.h.
const LOAD_WORD = 0x20
const JUMP_EQUAL = 0x15
const JUMP_BITS = 0x45
const RETURN = 0x06
const ALLOW = 0x7fff0000
const KILL = 0x80000000
const ERRNO = 0x00050000
const EPERM = ERRNO | 1
const ENOSYS = ERRNO | 38
/** Offsets into struct seccomp_data; the lower half of an argument on machines of little endian. */
const NUMBER = 0
const ARCHITECTURE = 4
const ARGUMENT_0 = 16
const ARGUMENT_1 = 24

const CLONE_THREAD = 0x00010000
const PR_SET_NAME = 15
/** The same on every architecture, as for all calls this young. */
const IO_URING_SETUP = 425

/**
 * What may be done to a descriptor: copied, asked for its flags, and given others. Whoever could name an owner for its signals
 * (F_SETOWN, F_SETSIG, FIOSETOWN and the like) could have the kernel kill any process of the same user: fcntl(2), signal-driven I/O.
 * F_DUPFD F_GETFD F_SETFD F_GETFL F_SETFL F_DUPFD_CLOEXEC; the same on the architectures that a table is written for.
 */
const FCNTL_COMMANDS: readonly number[] = [0, 1, 2, 3, 4, 1030]
/** TCGETS TIOCGWINSZ FIONREAD FIONBIO FIONCLEX FIOCLEX. */
const IOCTL_REQUESTS: readonly number[] = [0x5401, 0x5413, 0x541b, 0x5421, 0x5450, 0x5451]

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number]

/**
 * The program (classic BPF, seccomp(2)) that lets the listed calls through, lets threads start and not processes, lets the
 * process signal and limit nobody but itself (also not by way of a descriptor), and answers all else with EPERM. Pure; 8 bytes an instruction.
 */
export function buildFilter(machine: Machine, pid: number): Buffer {
  return assemble([
    ...begin(machine),
    // The C library then takes clone, whose flags can be seen here.
    ...answer(machine.clone3, ENOSYS),
    ...allowIf(machine.clone, JUMP_BITS, CLONE_THREAD),
    ...allowIf(machine.tgkill, JUMP_EQUAL, pid),
    ...allowIf(machine.prctl, JUMP_EQUAL, PR_SET_NAME),
    ...allowIf(machine.prlimit64, JUMP_EQUAL, 0),
    ...allowSecond(machine.fcntl, FCNTL_COMMANDS),
    ...allowSecond(machine.ioctl, IOCTL_REQUESTS),
    ...machine.allowed.flatMap((call) => answer(call, ALLOW)),
    [RETURN, 0, 0, EPERM],
  ])
}

/**
 * The program that only keeps io_uring away, for a process that is about to start Node: a ring does what its process asks
 * for without a system call, so that no later filter would see it, and libuv makes one for every event loop that it can.
 */
export function buildRingFilter(machine: Machine): Buffer {
  return assemble([...begin(machine), ...answer(IO_URING_SETUP, ENOSYS), [RETURN, 0, 0, ALLOW]])
}

const begin = (machine: Machine): Instruction[] => [
  [LOAD_WORD, 0, 0, ARCHITECTURE],
  [JUMP_EQUAL, 1, 0, machine.audit],
  [RETURN, 0, 0, KILL],
  [LOAD_WORD, 0, 0, NUMBER],
]

function assemble(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(8 * program.length)
  for (const [i, [code, ifTrue, ifFalse, value]] of program.entries()) {
    bytes.writeUInt16LE(code, 8 * i)
    bytes.writeUInt8(ifTrue, 8 * i + 2)
    bytes.writeUInt8(ifFalse, 8 * i + 3)
    bytes.writeUInt32LE(value >>> 0, 8 * i + 4)
  }
  return bytes
}

const answer = (call: number, action: number): Instruction[] => [
  [JUMP_EQUAL, 0, 1, call],
  [RETURN, 0, 0, action],
]

const allowIf = (call: number, test: number, value: number): Instruction[] => [
  [JUMP_EQUAL, 0, 4, call],
  [LOAD_WORD, 0, 0, ARGUMENT_0],
  [test, 0, 1, value],
  [RETURN, 0, 0, ALLOW],
  [RETURN, 0, 0, EPERM],
]

/** Lets a call through whose second argument, of 32 bits, is one of these. */
const allowSecond = (call: number, values: readonly number[]): Instruction[] => [
  [JUMP_EQUAL, 0, 2 * values.length + 2, call],
  [LOAD_WORD, 0, 0, ARGUMENT_1],
  ...values.flatMap((value) => answer(value, ALLOW)),
  [RETURN, 0, 0, EPERM],
]
