import type { BlobHash, Release } from '../../../core/index.ts'

/** The components that a release runs, each once. Pure. */
export function listComponents({
  functions = [],
  transforms = [],
}: Pick<Release, 'functions' | 'transforms'>): BlobHash[] {
  return [...new Set([...functions, ...transforms].map(({ component }) => component))]
}
