import { MakiError } from '../errors.ts'

export const MAX_PATH_LENGTH = 1024

/** Throws MAKI_INVALID for a path that could mean another file than the one it names. */
export function checkPath(path: string): void {
  const refuse = (why: string) => new MakiError('MAKI_INVALID', `${JSON.stringify(path)} cannot be published: ${why}`)
  if (path === '') throw refuse('the path is empty')
  if (path.length > MAX_PATH_LENGTH) throw refuse(`the path has more than ${MAX_PATH_LENGTH} characters`)
  if (!path.isWellFormed()) throw refuse('the path is not valid Unicode')
  if (path.includes('\0')) throw refuse('the path has a NUL')
  // Browsers turn a backslash in an address into a slash (WHATWG URL), so that nobody could ask for the file.
  if (path.includes('\\')) throw refuse('the path has a backslash')
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.' || segment === '..')
      throw refuse(`it has the segment ${JSON.stringify(segment)}`)
  }
}
