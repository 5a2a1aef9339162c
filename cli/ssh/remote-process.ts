import { type Duplex, PassThrough, type Readable } from 'node:stream'
import type { ClientChannel } from 'ssh2'
import { MakiError } from '../../core/index.ts'
import { ChannelStream } from './channel-stream.ts'
import type { Privilege, RemoteProcess } from './ssh-host.ts'
import { type SudoReason, SudoRefused, SudoTalk } from './sudo.ts'

/** How a remote command ended. */
export type RemoteEnd = Awaited<RemoteProcess['ended']>

/** A command that runs on a channel, and the way to end it with an error. */
export interface RunningProcess extends RemoteProcess {
  readonly stdio: ChannelStream
  /** The connection is lost, or nobody wants it any more. */
  fail(error: unknown): void
}

/** What is known of a command that has ended, to judge whether that was a failure. */
export interface Ending extends RemoteEnd {
  readonly hasCarried: boolean
  /** The beginning of what it said on standard error. */
  readonly said: string
}

/** Of what a command says when it fails. */
const MOST_SAID_BYTES = 16 * 1024

/**
 * A channel on which a command runs, as a process. With `findFault` its streams are one: standard error is read here, and
 * where there is a fault the stream ends with it.
 */
export function processOf(channel: ClientChannel, findFault?: (ending: Ending) => Error | undefined): RunningProcess {
  let said = ''
  const judge = findFault && (() => findFault({ ...end, said, hasCarried: stdio.hasCarried }))
  const stdio: ChannelStream = new ChannelStream(channel, judge)
  const { promise: ended, resolve, reject } = Promise.withResolvers<RemoteEnd>()
  // Who looks at the streams alone is no fault.
  ended.catch(() => {})
  let end: RemoteEnd = { code: null, signal: undefined }
  channel.on('exit', (code: number | null, signal?: string) => {
    end = { code, signal: signal ?? undefined }
  })
  if (findFault !== undefined)
    channel.stderr.on('data', (chunk: Buffer) => {
      if (said.length < MOST_SAID_BYTES) said += chunk.toString('utf8')
    })
  let isErrorRead = false
  let isClosed = false
  const settle = (): void => {
    if (isErrorRead && isClosed) resolve(end)
  }
  channel.stderr.on('end', () => {
    isErrorRead = true
    settle()
  })
  channel.on('close', () => {
    isClosed = true
    settle()
  })
  return {
    stdio,
    stderr: channel.stderr,
    ended,
    fail: (error) => {
      reject(error)
      stdio.on('error', () => {})
      stdio.destroy(error instanceof Error ? error : new Error(String(error)))
    },
  }
}

/**
 * Waits until sudo has run the command that was given to it, and says the password when it asks. Rejects with MAKI_USAGE
 * (cause: `SudoRefused`) where it does not.
 */
export async function passSudo(
  running: RunningProcess,
  privilege: Extract<Privilege, { kind: 'sudo' | 'sudo-password' }>,
): Promise<RunningProcess> {
  const talk = new SudoTalk()
  const { promise, resolve, reject } = Promise.withResolvers<Readable>()
  const refuse = (refused: { reason: SudoReason; said: string }): void =>
    reject(
      new MakiError('MAKI_USAGE', 'sudo does not run commands as root for this user', {
        cause: new SudoRefused(refused.reason, refused.said),
        hint: 'Log in as root, or as a user who may use sudo.',
      }),
    )
  const take = (chunk: Buffer): void => {
    const step = talk.take(chunk)
    switch (step.kind) {
      case 'wait':
        return
      case 'password':
        if (privilege.kind === 'sudo-password') running.stdio.write(`${privilege.password}\n`)
        else refuse({ reason: 'needs-password', said: talk.text })
        return
      case 'begun': {
        // At once: what comes next is the command's.
        running.stderr.off('data', take)
        running.stderr.off('end', readOn)
        const stderr = new PassThrough()
        if (step.rest.length > 0) stderr.write(step.rest)
        running.stderr.pipe(stderr)
        resolve(stderr)
        return
      }
      case 'refused':
        refuse(step)
        return
      default:
        step satisfies never
    }
  }
  // It ended without having begun: unread output would keep the end from us.
  const readOn = (): void => {
    running.stdio.resume()
    running.ended.then(({ code }) => refuse(talk.end(code)), reject)
  }
  running.stderr.on('data', take)
  running.stderr.once('end', readOn)
  running.ended.catch(reject)
  try {
    return { ...running, stderr: await promise }
  } catch (error) {
    running.fail(error)
    throw error
  }
}

/** Feeds a stream to its end or until nobody takes any more; rejects where what is fed cannot be read. */
export async function feed(
  stdio: Duplex,
  input: Uint8Array | string | AsyncIterable<Uint8Array> | undefined,
): Promise<void> {
  if (input === undefined) return void stdio.end()
  const chunks = typeof input === 'string' || input instanceof Uint8Array ? [input] : input
  const isOver = (): boolean => stdio.destroyed || stdio.writableEnded
  for await (const chunk of chunks) {
    if (isOver()) return
    if (!stdio.write(chunk)) await drained(stdio)
  }
  if (!isOver()) stdio.end()
}

function drained(stdio: Duplex): Promise<void> {
  return new Promise((done) => {
    const finish = (): void => {
      stdio.off('drain', finish)
      stdio.off('close', finish)
      done()
    }
    stdio.on('drain', finish)
    stdio.on('close', finish)
    if (stdio.destroyed) finish()
  })
}

/** Reads two streams to their ends, and no more than so many bytes in all: MAKI_TOO_LARGE. */
export async function readBoth(
  stdout: Readable,
  stderr: Readable,
  most: number,
): Promise<{ stdout: string; stderr: string }> {
  let left = most
  const read = async (stream: Readable): Promise<string> => {
    const chunks: Buffer[] = []
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      left -= chunk.length
      if (left < 0) throw new MakiError('MAKI_TOO_LARGE', `the server said more than ${most / 2 ** 20} MiB`)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString('utf8')
  }
  const [out, err] = await Promise.all([read(stdout), read(stderr)])
  return { stdout: out, stderr: err }
}
