/** Tries, in a decoder's place and under its rules, what a decoder must not be able to do; writes what came of it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { confine } from '../../../edge/confined/confine.ts'
import { encodeHead } from '../../../edge/confined/frames.ts'

const [, , , , possible] = process.argv
const { dlopen, getRawPointer } = await import('node:ffi')
// What code that got hold of the process would call: the C library itself.
const { functions: c } = dlopen(null, {
  open: { arguments: ['pointer', 'i32'], return: 'i32' },
  socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
  fork: { arguments: [], return: 'i32' },
  kill: { arguments: ['i32', 'i32'], return: 'i32' },
  unlink: { arguments: ['pointer'], return: 'i32' },
  fcntl: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
  ioctl: { arguments: ['i32', 'i64', 'pointer'], return: 'i32' },
  sched_setaffinity: { arguments: ['i32', 'i64', 'pointer'], return: 'i32' },
  syscall: { arguments: ['i64', 'i64', 'i64', 'i64'], return: 'i64' },
})
// The owner says where the key lies: whoever is in here may know that.
const key = Buffer.from(`${process.env.KEY_FILE ?? '/etc/passwd'}\0`)
const [reads, kills] = [
  () => readFileSync(key.toString('utf8', 0, key.length - 1)),
  () => process.kill(process.ppid, 0),
]
const F_SETOWN = 8
const F_SETSIG = 10
const FIOSETOWN = 0x8901n
const SIGKILL = 9
const owner = Buffer.from(Int32Array.of(process.ppid).buffer)
// Whatever processors there are: it changes nothing where it is let through.
const processors = Buffer.alloc(128, 0xff)
const before = c.open(getRawPointer(key), 0)
const confinement = possible === 'kernel' ? await confine(512 * 1024 * 1024) : 'runtime'
const report = {
  confinement,
  before: before >= 0,
  environment: Object.keys(process.env),
  javascript: {
    read: codeOf(reads),
    write: codeOf(() => writeFileSync('/tmp/makiatto-probe', '')),
    spawn: codeOf(() => spawn('/bin/true')),
    connect: await connectCode(),
    kill: codeOf(kills),
  },
  native: {
    open: c.open(getRawPointer(key), 0),
    socket: c.socket(2, 1, 0),
    fork: c.fork(),
    kill: c.kill(process.ppid, 0),
    unlink: c.unlink(getRawPointer(key)),
    // Signals of a descriptor go to its owner, and any of them may be chosen.
    owner: c.fcntl(0, F_SETOWN, process.ppid),
    ownerByDevice: c.ioctl(0, FIOSETOWN, getRawPointer(owner)),
    signal: c.fcntl(0, F_SETSIG, SIGKILL),
    processors: c.sched_setaffinity(process.ppid, BigInt(processors.length), getRawPointer(processors)),
    ring: Number(c.syscall(425n, 1n, 0n, 0n)),
  },
}
process.stdout.write(encodeHead(report, 0), () => process.exit(0))

async function connectCode(): Promise<string> {
  try {
    const [error] = await once(connect(1, '127.0.0.1'), 'error').catch((thrown) => [thrown])
    return String((error as NodeJS.ErrnoException).code)
  } catch (thrown) {
    return String((thrown as NodeJS.ErrnoException).code)
  }
}

function codeOf(act: () => unknown): string {
  try {
    act()
    return 'done'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}
