import { GuestExit } from '../wasi-ports.ts'
import { InputStream, noInput } from './input-stream.ts'
import type { Instance } from './instance.ts'
import { MAX_WRITE_BYTES, type OutputSink, OutputStream } from './output-stream.ts'
import { READY } from './poll.ts'

/** `terminal-input` of wasi:cli: there is none. */
export class TerminalInput {}

/** `terminal-output` of wasi:cli: there is none. */
export class TerminalOutput {}

/** The interfaces of wasi:cli: the guest's own environment, no arguments, no folder, no input; output goes to the log. */
export function buildCli(instance: Instance): Record<string, object> {
  const { env } = instance.ports
  return {
    'wasi:cli/environment': {
      getEnvironment: (): [string, string][] => Object.entries(env),
      getArguments: (): string[] => [],
      initialCwd: (): string | undefined => undefined,
    },
    'wasi:cli/exit': {
      exit(status: { tag: 'ok' | 'err' }): never {
        throw new GuestExit(status.tag === 'ok')
      },
      exitWithCode(code: number): never {
        throw new GuestExit(code === 0)
      },
    },
    'wasi:cli/stdin': { getStdin: () => new InputStream(instance, noInput) },
    'wasi:cli/stdout': { getStdout: () => new OutputStream(instance, createPrintSink(instance, 'stdout')) },
    'wasi:cli/stderr': { getStderr: () => new OutputStream(instance, createPrintSink(instance, 'stderr')) },
    'wasi:cli/terminal-input': { TerminalInput },
    'wasi:cli/terminal-output': { TerminalOutput },
    'wasi:cli/terminal-stdin': { getTerminalStdin: () => undefined },
    'wasi:cli/terminal-stdout': { getTerminalStdout: () => undefined },
    'wasi:cli/terminal-stderr': { getTerminalStderr: () => undefined },
  }
}

function createPrintSink({ ports }: Instance, stream: 'stdout' | 'stderr'): OutputSink {
  return {
    room: () => MAX_WRITE_BYTES,
    write: (bytes) => ports.channel.tell({ ask: 'print', stream }, bytes),
    flush: () => true,
    look: () => READY,
    close() {},
  }
}
