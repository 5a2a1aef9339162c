import * as v from 'valibot'
import { type BlobHash, type ClusterId, isBlobHash, MakiError, parseClusterId } from '../../core/index.ts'

/**
 * What a backup is: a tar archive (POSIX.1-2017, ustar), compressed with Zstandard (RFC 8878), that `tar --zstd -xf` opens. In this order
 *
 * - `backup.json`: what is in it, as `BackupHead`
 * - `README.txt`: the same in words
 * - `profile.toml`: the machines of the profile; public data
 * - `blobs.txt`: a line for each file that follows, its SHA-256 in hexadecimal
 * - `operations/NNNNNNNN`: every operation as it was signed, each after those that it follows
 * - `blobs/SHA256`: files, lists of files and components, as they were published
 *
 * Nothing secret is in it in clear: private keys of operators are not, and what is sealed is sealed to nodes.
 */
export interface BackupHead {
  readonly format: 1
  readonly cluster: ClusterId
  /** Of the cluster. */
  readonly name: string
  /** ISO 8601. */
  readonly madeAt: string
  readonly operations: number
  /** Null where it was made without files. */
  readonly blobs: number | null
}

const count = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER))
const headSchema = v.object({
  format: v.literal(1),
  cluster: v.pipe(v.string(), v.transform(parseClusterId)),
  name: v.pipe(v.string(), v.maxLength(1000)),
  madeAt: v.pipe(v.string(), v.maxLength(40)),
  operations: count,
  blobs: v.nullable(count),
})

/** Throws MAKI_INVALID where it says nothing that can be read. */
export function readHead(text: string): BackupHead {
  try {
    return v.parse(headSchema, JSON.parse(text))
  } catch (cause) {
    throw damaged('what it says of itself cannot be read', cause)
  }
}

export const formatBlobList = (blobs: Iterable<BlobHash>): string => [...blobs].map((hash) => `${hash}\n`).join('')

/** Throws MAKI_INVALID for a line that is no hash. */
export function readBlobList(text: string): readonly BlobHash[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      if (!isBlobHash(line)) throw damaged('its list of files is none')
      return line
    })
}

/** MAKI_INVALID: the file is no whole backup. */
export const damaged = (why: string, cause?: unknown): MakiError =>
  new MakiError('MAKI_INVALID', `this is no whole backup: ${why}`, {
    cause,
    hint: 'Take another copy of it. What could be read before was kept: nothing is taken back by restoring.',
  })

export const describeBackup = ({ cluster, name, madeAt, operations, blobs }: BackupHead): string =>
  `A backup of the cluster ${name} (${cluster}), made ${madeAt} by maki backup.

operations/   ${operations} signed operations: the whole history, one in each file (MessagePack)
blobs/        ${blobs === null ? 'left out' : `${blobs} files, named by their SHA-256; lists of files among them say which is which`}
profile.toml  the machines, as the profile had them

maki restore FILE brings it back. No private key is in it: with the recovery key of the cluster, maki cluster recover makes a new
computer an operator. What is sealed to nodes (private keys of certificates, variables of functions) can only be opened by them.
`
