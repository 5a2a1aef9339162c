import type { BigIntStats } from 'node:fs'

/** A file's identity at one moment: when any of it differs, the bytes may differ. */
export interface FileIdentity {
  readonly sizeBytes: number
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly inode: bigint
}

/** Of what `stat` says. */
export function identityOf(stats: BigIntStats): FileIdentity {
  return { sizeBytes: Number(stats.size), mtimeNs: stats.mtimeNs, ctimeNs: stats.ctimeNs, inode: stats.ino }
}

/** True where nothing has touched the file in between, as far as the file system can tell. */
export const isSameFile = (a: FileIdentity, b: FileIdentity): boolean =>
  a.sizeBytes === b.sizeBytes && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs && a.inode === b.inode
