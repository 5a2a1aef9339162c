/**
 * Stands for WASI where the generator runs: it is a program in WebAssembly itself and asks for a system that is not there.
 * The usual one starts a thread and could open files; this one has an empty environment, no files, and the same numbers for chance every
 * time, so that equal components give equal glue on every node.
 */

function refuse(): never {
  throw new Error('there is no system here')
}

class Absent {}

export const environment = { getEnvironment: (): [] => [] }
export const exit = { exit: refuse }
export const stderr = { getStderr: refuse }
export const stdin = { getStdin: refuse }
export const stdout = { getStdout: refuse }
export const terminalInput = { TerminalInput: Absent }
export const terminalOutput = { TerminalOutput: Absent }
export const terminalStderr = { getTerminalStderr: refuse }
export const terminalStdin = { getTerminalStdin: refuse }
export const terminalStdout = { getTerminalStdout: refuse }
export const preopens = { getDirectories: (): [] => [] }
export const types = { Descriptor: Absent, DirectoryEntryStream: Absent, filesystemErrorCode: refuse }
export const error = { Error: Absent }
export const streams = { InputStream: Absent, OutputStream: Absent }
export const random = { getRandomBytes: (count: bigint): Uint8Array => new Uint8Array(Number(count)).fill(7) }
