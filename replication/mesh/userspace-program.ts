import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, readdir, readFile, readlink } from 'node:fs/promises'
import { asMakiError, type Log, MakiError, type Runtime } from '../../core/index.ts'
import { closeOnExec } from './close-on-exec.ts'
import { ProgramLog } from './program-log.ts'
import { connectToProgram, SOCKET_FOLDER } from './userspace-socket.ts'

/** The program that Debian calls so, and our bundles carry. */
export const WIREGUARD_GO = 'wireguard-go'

const FOREGROUND = '--foreground'

/** Longer than it takes to start on a busy machine. */
const START_MS = 20_000
const LOOK_EVERY_MS = 10

export interface ProgramOptions {
  readonly interface: string
  /** The path of `wireguard-go`, or its name where `PATH` has it. */
  readonly command: string
  readonly runtime: Pick<Runtime, 'after' | 'monotonic'>
  readonly log: Log
}

/** Where the program of an interface writes what it has to say. */
export const programLogPathOf = (interfaceName: string): string => `${SOCKET_FOLDER}/${interfaceName}.log`

/**
 * Starts `wireguard-go` so that it outlives us: in a session of its own, with nothing of ours open, and with no secret among its
 * arguments and environment. Capabilities are inherited where they are ambient. Resolves when it answers; rejects, the
 * program gone, with a MakiError that says what lacks.
 */
export async function startProgram(options: ProgramOptions): Promise<{ pid: number; said: ProgramLog }> {
  const said = await openLog(options)
  let child: ChildProcess | undefined
  try {
    await closeOnExec()
    child = spawn(options.command, [FOREGROUND, options.interface], {
      cwd: '/',
      detached: true,
      // Of its log levels `error` is the one that says nothing of each handshake.
      env: { PATH: process.env.PATH ?? '', LOG_LEVEL: 'error', WG_PROCESS_FOREGROUND: '1' },
      stdio: ['ignore', said.fd, said.fd],
    })
    await untilAnswers(child, said, options)
    child.unref()
    return { pid: child.pid as number, said }
  } catch (error) {
    if (child?.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await said[Symbol.asyncDispose]()
    throw error
  }
}

/** Kills the programs of an interface of this network, whoever started them: for those that do not end when they are told. */
export async function killPrograms(interfaceName: string): Promise<readonly number[]> {
  const here = await readlink('/proc/self/ns/net')
  const killed: number[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    try {
      const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')
      if (!words[0]?.endsWith(WIREGUARD_GO) || words[1] !== FOREGROUND || words[2] !== interfaceName) continue
      if ((await readlink(`/proc/${pid}/ns/net`)) !== here) continue
      process.kill(Number(pid), 'SIGKILL')
      killed.push(Number(pid))
    } catch {
      // Gone in the meantime, or another's.
    }
  }
  return killed
}

async function openLog({ interface: name, runtime, log }: ProgramOptions): Promise<ProgramLog> {
  try {
    await mkdir(SOCKET_FOLDER, { recursive: true, mode: 0o755 })
    return await ProgramLog.open(programLogPathOf(name), { fresh: true, runtime, log })
  } catch (cause) {
    throw new MakiError(
      'MAKI_UNSUPPORTED',
      `wireguard-go cannot be started: it keeps its socket in ${SOCKET_FOLDER}, and there ${asMakiError(cause).message}`,
      {
        cause,
        hint: 'The service file that maki machine init writes makes that folder; else: mkdir -p it, and chown it.',
      },
    )
  }
}

async function untilAnswers(child: ChildProcess, said: ProgramLog, options: ProgramOptions): Promise<void> {
  const ended = Promise.withResolvers<never>()
  child.once('error', (cause: NodeJS.ErrnoException) => ended.reject(notStarted(options.command, cause)))
  child.once('exit', (code, signal) => {
    const how = signal ?? `status ${code}`
    said.last().then((lines) => ended.reject(explainEnd(lines, how)), ended.reject)
  })
  // Handled where it is awaited; it may come when nobody waits any more.
  ended.promise.catch(() => {})
  const untilMs = options.runtime.monotonic() + START_MS
  while (options.runtime.monotonic() < untilMs) {
    const socket = await Promise.race([connectToProgram(options.interface), ended.promise])
    if (socket !== undefined) {
      socket.destroy()
      return
    }
    const pause = new Promise<void>((done) => void options.runtime.after(LOOK_EVERY_MS, done))
    await Promise.race([pause, ended.promise])
  }
  throw new MakiError('MAKI_TIMEOUT', `wireguard-go does not answer, ${START_MS / 1000} seconds after its start`, {
    hint: 'Is the machine very busy? journalctl -u makiatto says more.',
  })
}

function notStarted(command: string, cause: NodeJS.ErrnoException): MakiError {
  const why = cause.code === 'ENOENT' ? 'it is not there' : cause.message
  return new MakiError('MAKI_UNSUPPORTED', `${command} cannot be started: ${why}`, {
    cause,
    hint: 'Install a kernel with WireGuard, or the package wireguard-go.',
  })
}

/** What lacks, from the last words of a program that did not start. */
export function explainEnd(lines: readonly string[], how: string): MakiError {
  const text = lines.join(' ')
  const said = text === '' ? how : `${how}: ${lines.at(-1)}`
  const error = (message: string, hint: string) => new MakiError('MAKI_UNSUPPORTED', message, { hint })
  if (/\/dev\/net\/tun.*(does not exist|no such)|no such device/i.test(text)) {
    return error(
      `wireguard-go has no /dev/net/tun to make an interface with (${said})`,
      'In a container, pass the device to it; else: modprobe tun.',
    )
  }
  if (/operation not permitted/i.test(text)) {
    return error(
      `wireguard-go may not make an interface: it lacks the capability CAP_NET_ADMIN (${said})`,
      'In the service file: AmbientCapabilities=CAP_NET_ADMIN.',
    )
  }
  if (/(tun.*permission denied|permission denied.*tun)/i.test(text)) {
    return error(
      `wireguard-go may not open /dev/net/tun (${said})`,
      'In the service file: DeviceAllow=/dev/net/tun rw. Its mode is 0666 where udev made it.',
    )
  }
  if (/uapi/i.test(text)) {
    return error(
      `wireguard-go cannot make its socket in ${SOCKET_FOLDER} (${said})`,
      `The service must be able to write in ${SOCKET_FOLDER}; maki machine init sees to that.`,
    )
  }
  return error(
    `wireguard-go ended as soon as it was started (${said})`,
    'journalctl -u makiatto says what came before.',
  )
}
