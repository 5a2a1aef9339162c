import { execFile } from 'node:child_process'

/** How a program of the server ended. */
export interface ProgramOutcome {
  /** Null where it could not be started, or was ended by a signal. */
  readonly code: number | null
  readonly stdout: string
  /** What it said on standard error; where it could not be started, why. */
  readonly stderr: string
}

const MAX_BYTES = 16 * 1024 * 1024
/** Programs look for nothing of whoever called us. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Runs a program to its end, or kills it after a time; never rejects. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: { readonly timeoutMs: number },
): Promise<ProgramOutcome> {
  return new Promise((resolve) => {
    const env = { PATH, LANG: 'C.UTF-8' }
    const bounds = { env, timeout: options.timeoutMs, killSignal: 'SIGKILL', maxBuffer: MAX_BYTES } as const
    const child = execFile(program, args, bounds, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null
      const late = error?.killed === true ? `no end within ${options.timeoutMs / 1000} s` : error?.message
      resolve({ code, stdout, stderr: code === null && stderr === '' ? (late ?? '') : stderr })
    })
    child.stdin?.end()
  })
}
