import { GuestExit, type WasiPorts } from '../wasi-ports.ts'
import { buildCli } from './cli.ts'
import { buildClocks } from './clocks.ts'
import { buildFilesystem } from './filesystem.ts'
import { buildHttp } from './http.ts'
import { InputStream } from './input-stream.ts'
import { GuestTrap, Instance } from './instance.ts'
import { IoError } from './io-error.ts'
import { OutputStream } from './output-stream.ts'
import { Pollable, poll } from './poll.ts'
import { buildRandom } from './random.ts'
import { buildSockets } from './sockets.ts'

export { GuestExit, GuestTrap }

/**
 * WASI 0.2 for one instance of a guest, as the generated glue takes it: by the names of interfaces without versions
 * (`wasi:cli/environment`). It may be made once per run, and shares nothing with another.
 */
export function buildWasi(ports: WasiPorts): Readonly<Record<string, object>> {
  const instance = new Instance(ports)
  return {
    ...buildCli(instance),
    ...buildClocks(instance),
    ...buildRandom(instance),
    ...buildFilesystem(instance),
    ...buildSockets(instance),
    ...buildHttp(instance),
    'wasi:io/error': { Error: IoError },
    'wasi:io/poll': { Pollable, poll: (pollables: readonly Pollable[]) => poll(instance, pollables) },
    'wasi:io/streams': { InputStream, OutputStream },
  }
}
