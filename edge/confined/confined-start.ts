/**
 * Starts a confined process in its own place: keeps io_uring from what comes (see `buildRingFilter`), which only a process that does
 * not have it yet can be kept from, and becomes Node once more, with the arguments that follow and the permission model.
 */
import { refuseRings } from './confine.ts'

const [, , ...args] = process.argv
const safe = await refuseRings()
process.execve?.(process.execPath, [process.execPath, ...args, safe ? 'kernel' : 'runtime'], {})
