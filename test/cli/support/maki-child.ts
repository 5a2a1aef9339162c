import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Outcome } from './test-cluster.ts'

const MAIN = join(import.meta.dirname, '..', '..', '..', 'cli', 'main.ts')

/** `maki` in a process of its own, ended with whoever disposes it. */
export interface MakiChild extends AsyncDisposable {
  readonly process: ChildProcess
  /** Resolves when it has ended; `signal` names what ended it. */
  readonly ended: Promise<Outcome & { readonly signal: NodeJS.Signals | null }>
}

export function spawnMaki(
  argv: readonly string[],
  options: { env: Readonly<Record<string, string>>; cwd: string },
): MakiChild {
  const child = spawn(process.execPath, [MAIN, ...argv], { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  const text = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    text.stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    text.stderr += chunk
  })
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number,
    signal: signal as NodeJS.Signals | null,
    ...text,
  }))
  return {
    process: child,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
