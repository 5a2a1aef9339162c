import { asMakiError, MakiError } from '../../core/index.ts'
import type { StepList } from '../provision/index.ts'
import { type Privilege, requirePrivilege, type SshHost } from '../ssh/index.ts'
import type { ServerMachine } from './choose-machines.ts'
import { openServer, type ServerAccess } from './open-server.ts'
import { readServerFacts, type ServerFacts } from './server-facts.ts'

/** A server that is connected to, as root, with what lies on it. */
export interface OpenServer extends AsyncDisposable {
  readonly machine: ServerMachine
  readonly ssh: SshHost
  readonly privilege: Privilege
  readonly facts: ServerFacts
}

/** Connects, becomes root and looks. What was opened is closed where one of it fails. */
export async function openAsRoot(access: ServerAccess, machine: ServerMachine): Promise<OpenServer> {
  const ssh = await openServer(access, machine)
  try {
    const facts = await readServerFacts(ssh, access.host.signal)
    const privilege = await requirePrivilege(ssh, access.host.askSecret)
    return { machine, ssh, privilege, facts, [Symbol.asyncDispose]: () => ssh[Symbol.asyncDispose]() }
  } catch (thrown) {
    await ssh[Symbol.asyncDispose]()
    throw thrown
  }
}

/**
 * Connects to all of them, one after the other, since people may be asked. Nothing is changed anywhere while one cannot be
 * reached: throws its reason, with the line that leaves it out.
 */
export async function openAllAsRoot(
  access: ServerAccess,
  machines: readonly ServerMachine[],
  steps: StepList,
  options: { readonly stack: AsyncDisposableStack; readonly command: string },
): Promise<readonly OpenServer[]> {
  const { host } = access
  // Asked with the list of steps out of the way.
  const askSecret = steps.asking(host.askSecret)
  const asking = askSecret === undefined ? access : { ...access, host: { ...host, askSecret } }
  const opened: OpenServer[] = []
  const faults = new Map<ServerMachine, MakiError>()
  for (const machine of machines) {
    await steps
      .run(`Connect to ${machine.name}`, async () => {
        opened.push(options.stack.use(await openAsRoot(asking, machine)))
      })
      .catch((thrown: unknown) => {
        access.host.signal.throwIfAborted()
        faults.set(machine, asMakiError(thrown))
      })
  }
  const [first] = faults.values()
  if (first === undefined) return opened
  const names = [...faults.keys()].map(({ name }) => name).join(', ')
  const others = opened.map(({ machine }) => machine.name)
  const isNamed = faults.size === 1 && first.message.includes(names)
  const message = isNamed ? first.message : `${names}: ${first.message}`
  throw new MakiError(first.code, `${message}; nothing was changed anywhere`, {
    cause: first,
    hint: [
      ...(first.hint === undefined ? [] : [first.hint]),
      ...(others.length === 0 ? [] : [`Without ${names}: ${options.command} ${others.join(' ')}`]),
    ].join('\n'),
  })
}
