import { constants } from 'node:fs'
import { type FileHandle, lstat, open, rm } from 'node:fs/promises'
import { MakiError } from '../../core/index.ts'
import { SETUP_LOCK } from './paths.ts'

/** Linux: include/uapi/asm-generic/fcntl.h. */
const LOCK_EX = 2
const LOCK_NB = 4
const { O_CREAT, O_NOFOLLOW, O_RDWR } = constants

/**
 * Keeps others from changing this server until it is disposed, or this process ends in whatever way (flock(2)). Only who may
 * open the file can take it, and that is its owner: others' users, who may lock whatever they can read, cannot stand in the
 * way. Throws MAKI_CONFLICT where somebody has it.
 */
export async function takeSetupLock(path: string = SETUP_LOCK): Promise<AsyncDisposable> {
  const flock = await loadFlock()
  for (;;) {
    const file = await open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600)
    try {
      if (!flock(file.fd)) throw refuse()
      // Whoever had it before took the file away with it: that lock keeps nobody out.
      if (await isAt(path, file)) return { [Symbol.asyncDispose]: () => release(path, file) }
    } catch (thrown) {
      await file.close()
      throw thrown
    }
    await file.close()
  }
}

/** The file goes first: who opens it later makes another one. */
async function release(path: string, file: FileHandle): Promise<void> {
  await rm(path, { force: true })
  await file.close()
}

async function isAt(path: string, file: FileHandle): Promise<boolean> {
  const [held, found] = await Promise.all([file.stat(), lstat(path).catch(() => undefined)])
  return found !== undefined && held.ino === found.ino && held.dev === found.dev
}

/** True where the lock was had; never waits. The lock is not handed on to programs that are run: Node closes its files there. */
async function loadFlock(): Promise<(fd: number) => boolean> {
  const { dlopen } = await import('node:ffi').catch((cause: unknown) => {
    throw new MakiError('MAKI_UNSUPPORTED', 'setup needs node:ffi, which this Node has not', { cause })
  })
  const { functions } = dlopen('libc.so.6', { flock: { arguments: ['int32', 'int32'], return: 'int32' } })
  return (fd) => functions.flock(fd, LOCK_EX | LOCK_NB) === 0
}

const refuse = (): MakiError =>
  new MakiError('MAKI_CONFLICT', 'somebody else sets this server up, or changes it, at this moment', {
    hint: 'Wait until that has ended, then run the command again.',
  })
