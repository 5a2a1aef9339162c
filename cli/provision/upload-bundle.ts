import { createReadStream } from 'node:fs'
import { MakiError } from '../../core/index.ts'
import type { Bundle } from '../bundle/index.ts'
import { plainLine } from '../output/text.ts'
import type { Privilege, RemoteOutcome, SshHost } from '../ssh/index.ts'
import { DISCARD_COMMAND, LOOK_COMMAND, UPLOAD_COMMAND } from './remote-commands.ts'

export interface UploadOptions {
  /** Bytes that were handed to the connection so far. */
  readonly onProgress?: (sentBytes: number) => void
  readonly signal?: AbortSignal | undefined
}

/** Octets of the file that are read at a time. */
const CHUNK_BYTES = 256 * 1024
/** For looking and discarding, which are done in a moment. */
const ANSWER_MS = 120_000

/**
 * Brings a bundle to a server, where it lies unpacked under `versions` then. `same`: it was there. Its SHA-256 is compared
 * there before it is unpacked; what a cut connection leaves is swept by the next upload. Throws MAKI_UNREACHABLE where the
 * connection is lost, and what the server says of its disk otherwise.
 */
export async function uploadBundle(
  host: SshHost,
  privilege: Privilege,
  bundle: Bundle,
  options: UploadOptions = {},
): Promise<'sent' | 'same'> {
  const { signal } = options
  if (await hasBundle(host, privilege, bundle.sha256, signal)) return 'same'
  const outcome = await host.run(UPLOAD_COMMAND, {
    privilege,
    input: readUpload(bundle, options),
    ...(signal === undefined ? {} : { signal }),
  })
  if (outcome.code === 0 && outcome.stdout.trim().endsWith('whole')) return 'sent'
  throw explain(outcome, bundle, host)
}

/** Whether a version lies on a server whole. Throws MAKI_CONFLICT where others than root may write to our folder. */
export async function hasBundle(
  host: SshHost,
  privilege: Privilege,
  sha256: string,
  signal?: AbortSignal,
): Promise<boolean> {
  const options = { privilege, input: `${sha256}\n`, answerMs: ANSWER_MS, ...(signal === undefined ? {} : { signal }) }
  const { code, stdout } = await host.run(LOOK_COMMAND, options)
  if (code === 66) throw foreignFolder(host.target.host)
  return code === 0 && stdout.trim().split('\n').at(-1) === 'whole'
}

/**
 * Takes back what `uploadBundle` brought where nothing was set up from it: versions that run, and servers that have been set
 * up, are left as they are. Throws MAKI_UNREACHABLE where the connection is lost; the next `machine init` goes on with what is
 * there then.
 */
export async function discardBundle(host: SshHost, privilege: Privilege, sha256: string): Promise<void> {
  await host.run(DISCARD_COMMAND, { privilege, input: `${sha256}\n`, answerMs: ANSWER_MS })
}

async function* readUpload(bundle: Bundle, { onProgress }: UploadOptions): AsyncGenerator<Uint8Array> {
  yield Buffer.from(`${bundle.sha256}\n${bundle.sizeBytes}\n`)
  let sentBytes = 0
  for await (const chunk of createReadStream(bundle.file, { highWaterMark: CHUNK_BYTES })) {
    yield chunk as Buffer
    sentBytes += (chunk as Buffer).length
    onProgress?.(sentBytes)
  }
}

/** Somebody else made our folder, or may write to it: nothing is run out of it. */
export function foreignFolder(host: string): MakiError {
  return new MakiError(
    'MAKI_CONFLICT',
    `/opt/makiatto on ${host} is not ours: it, or what is in it, is a symbolic link, or belongs to others than root or may be written to by them`,
    { hint: 'Look at it (ls -la /opt/makiatto), ask whose it is, and move it away.' },
  )
}

function explain({ code, signal, stderr }: RemoteOutcome, { sha256 }: Bundle, { target }: SshHost): MakiError {
  const said = plainLine(stderr.trim().split('\n').at(-1) ?? '')
  const why = said === '' ? '' : `: ${said}`
  switch (code) {
    case 66:
      return foreignFolder(target.host)
    case 67:
    case 68: {
      const isFull = /no space left|disk quota/i.test(stderr)
      const hint = isFull ? 'Make room below /opt, and run it again.' : 'See whether /opt can be written to as root.'
      const message = `the program cannot be stored below /opt on ${target.host}${why}`
      return new MakiError(isFull ? 'MAKI_DISK_FULL' : 'MAKI_STORE_FAILED', message, { hint })
    }
    case 69:
      return new MakiError('MAKI_UNREACHABLE', `the program did not arrive whole on ${target.host}`, {
        hint: 'Run the command again.',
      })
    case 70:
      return new MakiError('MAKI_BLOB_MISMATCH', `what arrived on ${target.host} is not the bundle ${sha256}`, {
        hint: 'Run the command again; where that happens again, look at the memory and disk of the server.',
      })
    case 72:
      return new MakiError('MAKI_INVALID', 'the bundle has no program bin/makiatto in it', {
        hint: 'Make another one, or leave --binary-path out.',
      })
    default:
      return new MakiError(
        'MAKI_STORE_FAILED',
        `storing the program on ${target.host} ended ${signal === undefined ? `with code ${code}` : `by ${signal}`}${why}`,
        { hint: 'It needs a POSIX shell, tar, gzip and sha256sum on the server.' },
      )
  }
}
