import { MakiError, type OperationId } from '../../core/index.ts'

/** How Level's failures read; it knows no codes for them but a few. */
const DISK_FULL = /no space left|disk quota exceeded|file too large/i
const DAMAGE =
  /corruption|corrupt|missing files|does not exist|no such file|bad magic|checksum|truncated|invalid argument/i

/** The failed act of a store as an error for people. */
export function asStoreError(cause: unknown, act: string): MakiError {
  if (cause instanceof MakiError) return cause
  const text = describe(cause)
  if (DISK_FULL.test(text)) {
    return new MakiError('MAKI_DISK_FULL', `the disk is full: cannot ${act}`, {
      cause,
      hint: 'Make room on the disk that holds the data directory, then start again.',
    })
  }
  return new MakiError('MAKI_STORE_FAILED', `the store failed: cannot ${act} (${text})`, {
    cause,
    hint: 'Check the disk and the rights of the data directory, then start again.',
  })
}

export const isLocked = (error: unknown): boolean => codes(error).includes('LEVEL_LOCKED')

/** True when the files themselves are at fault, not the disk's space, its rights or the number of open files. */
export const isDamage = (error: unknown): boolean =>
  codes(error).includes('LEVEL_CORRUPTION') || (!isLocked(error) && DAMAGE.test(describe(error)))

function chain(error: unknown): Error[] {
  const errors: Error[] = []
  for (let at = error; at instanceof Error && errors.length < 5; at = at.cause) errors.push(at)
  return errors
}

const codes = (error: unknown) => chain(error).map((at) => (at as NodeJS.ErrnoException).code)
const describe = (error: unknown) =>
  chain(error)
    .map((at) => at.message)
    .join(': ')

/**
 * Throws MAKI_INTERNAL when an id stands twice among those to be appended, or is known: a store with an operation twice
 * would be taken for damaged.
 */
export function refuseKnown(ids: readonly OperationId[], isKnown: (id: OperationId) => boolean): void {
  const seen = new Set<OperationId>()
  for (const id of ids) {
    if (seen.has(id) || isKnown(id))
      throw new MakiError('MAKI_INTERNAL', `operation ${id} is appended to the store twice`)
    seen.add(id)
  }
}
