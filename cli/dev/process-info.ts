import { execFile } from 'node:child_process'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { promisify } from 'node:util'

/** A process of this computer, as a person would look it up. */
export interface ProcessInfo {
  readonly pid: number
  /** The command line; empty where it may not be read. */
  readonly command: string
}

const run = promisify(execFile)

/** What is left of a long command: its program, and its end, which is what one process has and others have not. */
const SHOWN_START = 30
const SHOWN_END = 80

/** Who listens on a port of this computer; undefined where nobody does or it is another user's. */
export async function findPortHolder(protocol: 'tcp' | 'udp', port: number): Promise<ProcessInfo | undefined> {
  return process.platform === 'linux' ? findHolderInProc(protocol, port) : findHolderByLsof(protocol, port)
}

/** Socket states of `/proc/net`: LISTEN for TCP; a bound UDP socket is CLOSE. */
const BOUND_STATE = { tcp: '0A', udp: '07' } as const

async function findHolderInProc(protocol: 'tcp' | 'udp', port: number): Promise<ProcessInfo | undefined> {
  const inodes = new Set<string>()
  for (const file of [`/proc/net/${protocol}`, `/proc/net/${protocol}6`]) {
    const table = await readFile(file, 'utf8').catch(() => '')
    for (const inode of readSocketTable(table, port, BOUND_STATE[protocol])) inodes.add(inode)
  }
  if (inodes.size === 0) return undefined
  for (const entry of await readdir('/proc')) {
    if (!/^[0-9]+$/.test(entry)) continue
    const descriptors = await readdir(`/proc/${entry}/fd`).catch(() => [])
    for (const descriptor of descriptors) {
      const target = await readlink(`/proc/${entry}/fd/${descriptor}`).catch(() => '')
      const inode = /^socket:\[([0-9]+)\]$/.exec(target)?.[1]
      if (inode !== undefined && inodes.has(inode)) return { pid: Number(entry), command: await readCommand(entry) }
    }
  }
  return undefined
}

/** The inodes of the sockets in a table of `/proc/net` that are bound to a port; see proc_pid_net(5). Pure. */
export function readSocketTable(table: string, port: number, state: string): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return table.split('\n').flatMap((line) => {
    const fields = line.trim().split(/\s+/)
    return fields[1]?.endsWith(suffix) === true && fields[3] === state ? (fields[9] ?? []) : []
  })
}

/** A command line as short as one recognises it by: without the folder of its program and without its middle. Pure. */
export function shortenCommand(command: string): string {
  const short = command.replace(/^\/\S*\/(?=\S)/, '')
  if (short.length <= SHOWN_START + SHOWN_END + 1) return short
  return `${short.slice(0, SHOWN_START)}…${short.slice(-SHOWN_END)}`
}

async function readCommand(pid: string): Promise<string> {
  const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
  return shortenCommand(words.join(' ').trim())
}

async function findHolderByLsof(protocol: 'tcp' | 'udp', port: number): Promise<ProcessInfo | undefined> {
  const listening = protocol === 'tcp' ? ['-sTCP:LISTEN'] : []
  const line = await firstLine('lsof', ['-nP', `-i${protocol.toUpperCase()}:${port}`, ...listening, '-t'])
  const pid = Number(line)
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined
  const command = (await firstLine('ps', ['-o', 'command=', '-p', String(pid)])) ?? ''
  return { pid, command: shortenCommand(command) }
}

async function firstLine(command: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout } = await run(command, args)
    return stdout.split('\n')[0]?.trim() || undefined
  } catch {
    return undefined
  }
}
