/**
 * Connects to a server from where it is started and becomes root there, or says why not. One JSON request on standard input,
 * one JSON answer on standard output. For tests that have servers in a network of their own.
 */
import { text } from 'node:stream/consumers'
import { connectSsh, parseSshTarget, requirePrivilege } from '../../../cli/ssh/index.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { asMakiError } from '../../../core/index.ts'

/** What is to be tried. */
export interface DriverRequest {
  readonly target: string
  readonly home: string
  /** What is typed where a password is asked for; nobody sits there without. */
  readonly typed?: readonly string[]
  /** Run as root, fed with `input`. */
  readonly command?: string
  readonly input?: string
  /** Opens the control API and waits for its end. */
  readonly control?: true
}

/** What came of it. */
export interface DriverAnswer {
  readonly kind?: string
  readonly address?: string
  readonly asked: number
  readonly outcome?: { readonly stdout: string; readonly stderr: string; readonly code: number | null }
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string }
}

if (import.meta.main) process.stdout.write(JSON.stringify(await drive(JSON.parse(await text(process.stdin)))))

async function drive(request: DriverRequest): Promise<DriverAnswer> {
  const waiting = [...(request.typed ?? [])]
  let asked = 0
  const askSecret = async (): Promise<string> => {
    asked++
    return waiting.shift() ?? ''
  }
  try {
    await using host = await connectSsh({
      target: parseSshTarget(request.target),
      hostKey: undefined,
      firstUse: 'take',
      env: { HOME: request.home },
      runtime: systemRuntime,
      signal: new AbortController().signal,
      onNote: () => {},
    })
    const { address } = host
    if (request.control === true) {
      const stream = await host.openControl()
      stream.end('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
      await text(stream)
      return { asked, address }
    }
    const privilege = await requirePrivilege(host, request.typed === undefined ? undefined : askSecret)
    const { kind } = privilege
    if (request.command === undefined) return { kind, asked, address }
    const outcome = await host.run(request.command, { privilege, input: request.input ?? '' })
    return { kind, asked, address, outcome }
  } catch (thrown) {
    return { asked, error: asMakiError(thrown).toJSON() }
  }
}
