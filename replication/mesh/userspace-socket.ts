import { createConnection, type Socket } from 'node:net'
import { asMakiError, MakiError, type Runtime } from '../../core/index.ts'
import { MAX_UAPI_BYTES, parseUapiAnswer, UAPI_END, type UapiAnswer } from './uapi.ts'

/** Where WireGuard programs, `wg` among them, look for each other's sockets. */
export const SOCKET_FOLDER = '/var/run/wireguard'

/** Where the program that has an interface answers. */
export const socketPathOf = (interfaceName: string): string => `${SOCKET_FOLDER}/${interfaceName}.sock`

/** Longer than 10,000 peers take on a busy machine. */
const ANSWER_MS = 20_000

/** A connection to the program of an interface; undefined where nobody listens. Rejects with MAKI_CONFLICT where it is another user's. */
export function connectToProgram(interfaceName: string): Promise<Socket | undefined> {
  return new Promise((done, fail) => {
    const socket = createConnection(socketPathOf(interfaceName))
    socket.once('connect', () => {
      socket.removeAllListeners('error')
      // Whoever uses it hears of its close.
      socket.on('error', () => {})
      done(socket)
    })
    socket.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED') return done(undefined)
      const message = `the WireGuard program of ${interfaceName} is not ours: ${cause.message}`
      const hint = `See who has it: ls -l ${SOCKET_FOLDER}; or name another interface under [wireguard].`
      fail(new MakiError('MAKI_CONFLICT', message, { cause, hint }))
    })
  })
}

/**
 * Sends a request and gives the answer, whatever its errno. Rejects with MAKI_UNREACHABLE where no program answers, MAKI_TIMEOUT
 * where one takes twenty seconds, MAKI_PROTOCOL for what is no answer.
 */
export async function askProgram(
  interfaceName: string,
  request: string,
  runtime: Pick<Runtime, 'after'>,
): Promise<UapiAnswer> {
  // One each: after a request that it refused, a program reads the rest of it as another one.
  const socket = await connectToProgram(interfaceName)
  if (socket === undefined) throw unreachable(interfaceName)
  const answered = Promise.withResolvers<UapiAnswer>()
  const cancel = runtime.after(ANSWER_MS, () =>
    answered.reject(
      new MakiError('MAKI_TIMEOUT', `the WireGuard program of ${interfaceName} takes too long to answer`),
    ),
  )
  const parts: string[] = []
  let length = 0
  let tail = ''
  socket.setEncoding('latin1')
  socket.on('data', (part: string) => {
    parts.push(part)
    length += part.length
    tail = (tail + part).slice(-UAPI_END.length)
    if (length > MAX_UAPI_BYTES) {
      answered.reject(new MakiError('MAKI_PROTOCOL', `the WireGuard program of ${interfaceName} answers without end`))
    } else if (tail === UAPI_END) {
      try {
        answered.resolve(parseUapiAnswer(parts.join('')))
      } catch (error) {
        answered.reject(asMakiError(error))
      }
    }
  })
  socket.on('close', () => answered.reject(unreachable(interfaceName)))
  socket.write(request)
  try {
    return await answered.promise
  } finally {
    cancel()
    socket.destroy()
  }
}

const unreachable = (interfaceName: string) =>
  new MakiError('MAKI_UNREACHABLE', `no WireGuard program answers for ${interfaceName}: it has ended`)
