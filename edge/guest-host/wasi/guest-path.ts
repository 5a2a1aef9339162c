import type { ErrorCode } from '@bytecodealliance/preview2-shim/interfaces/wasi-filesystem-types'

/** A place in the site: no `.`, `..` or empty segment; `''` is the root. */
export interface GuestPath {
  readonly path: string
  /** It ended in a slash: only a folder is meant. */
  readonly mustBeFolder: boolean
}

/** Longer than any path of a site. */
const MAX_PATH_CHARS = 4096

/**
 * What a guest's path means below a folder. Throws a code of WASI's: nothing is reached above the folder, nor by an absolute
 * path (`not-permitted`). There are no links, so that a path means what it says and can be shortened without a look at the files.
 */
export function resolveGuestPath(folder: string, given: string): GuestPath {
  if (given === '') refuse('no-entry')
  if (given.length > MAX_PATH_CHARS) refuse('name-too-long')
  if (given.includes('\0')) refuse('invalid')
  // A lone surrogate is in no UTF-8, and must not become one character with its neighbour.
  if (!given.isWellFormed()) refuse('illegal-byte-sequence')
  if (given.startsWith('/')) refuse('not-permitted')
  const segments: string[] = []
  for (const segment of given.split('/')) {
    if (segment === '' || segment === '.') continue
    if (segment !== '..') segments.push(segment)
    else if (segments.pop() === undefined) refuse('not-permitted')
  }
  const below = segments.join('/')
  const path = folder === '' || below === '' ? `${folder}${below}` : `${folder}/${below}`
  const last = given.slice(given.lastIndexOf('/') + 1)
  return { path, mustBeFolder: last === '' || last === '.' || last === '..' }
}

function refuse(code: ErrorCode): never {
  throw code
}
