import { readdirSync } from 'node:fs'

/** fcntl(2). */
const F_SETFD = 2
const FD_CLOEXEC = 1
const STANDARD_ERROR = 2

/**
 * Keeps what this process has open from programs that it starts from now on. Node opens nothing else; LevelDB's files are its own,
 * and a program that outlives us would hold them when they are long deleted. Does nothing without `node:ffi`.
 */
export async function closeOnExec(): Promise<void> {
  const ffi = await import('node:ffi').catch(() => undefined)
  if (ffi === undefined) return
  const { functions } = ffi.dlopen('libc.so.6', {
    fcntl: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
  })
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name)
    // One that was closed in the meantime is refused by the kernel, and that is all.
    if (fd > STANDARD_ERROR) functions.fcntl(fd, F_SETFD, FD_CLOEXEC)
  }
}
