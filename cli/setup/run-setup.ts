import { createInterface } from 'node:readline'
import { MessageChannel } from 'node:worker_threads'
import * as v from 'valibot'
import { asMakiError, MakiError, type Runtime } from '../../core/index.ts'
import { startActivation } from './activate.ts'
import { begin } from './begin.ts'
import { openEventOutput } from './event-output.ts'
import { install, SetupError } from './install.ts'
import { type SetupRequest, setupRequest } from './protocol.ts'
import { remove } from './remove.ts'
import { createServer, openJournal, type Work } from './server.ts'
import { takeSetupLock } from './setup-lock.ts'

/** The program `makiatto setup`: see `setupRequest`. Ends the process. */
export async function runSetup(runtime: Runtime): Promise<void> {
  const gone = new AbortController()
  const leave = (): void => gone.abort(new MakiError('MAKI_UNREACHABLE', 'whoever asked for this is gone'))
  // Timers of the runtime do not keep a process alive.
  new MessageChannel().port1.on('message', () => {})
  for (const signal of ['SIGHUP', 'SIGTERM', 'SIGINT'] as const) process.on(signal, leave)
  const output = openEventOutput(leave)
  let code = 0
  try {
    const request = parseRequest(await readRequest(leave))
    if (process.getuid?.() !== 0) throw new MakiError('MAKI_USAGE', 'setup changes the server, and is for root alone')
    await using _lock = await takeSetupLock()
    const server = createServer(runtime)
    const work: Work = { server, journal: await openJournal(server), tell: output.tell, signal: gone.signal }
    output.tell({ event: 'result', result: await answer(work, request) })
  } catch (thrown) {
    const { code: what, message, hint } = asMakiError(thrown)
    const undone = !(thrown instanceof SetupError) || thrown.undone
    output.tell({ event: 'error', code: what, message, ...(hint === undefined ? {} : { hint }), undone })
    code = 4
  }
  process.stdin.destroy()
  output.end(code)
}

async function answer(work: Work, request: SetupRequest): Promise<unknown> {
  switch (request.do) {
    case 'install':
      return await install(work, request)
    case 'begin':
      return await begin(work, request)
    case 'remove':
      // What is begun is ended: half a removal helps nobody.
      return await remove({ ...work, signal: new AbortController().signal })
    case 'activate':
    case 'restart':
    case 'configure':
      return await startActivation(request, work.tell)
    default:
      return request satisfies never
  }
}

/** The first line; `leave` is called when standard input ends, at once or later. */
function readRequest(leave: () => void): Promise<string> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: process.stdin })
    lines.once('line', resolve)
    lines.on('close', () => {
      leave()
      resolve('')
    })
  })
}

function parseRequest(line: string): SetupRequest {
  try {
    return v.parse(setupRequest, JSON.parse(line))
  } catch (cause) {
    throw new MakiError('MAKI_INVALID', 'no request that this version understands came on standard input', {
      cause,
      hint: 'makiatto setup is talked to by maki machine.',
    })
  }
}
