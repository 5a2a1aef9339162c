import { MakiError } from '../../core/index.ts'
import type { BundleArch } from '../bundle/index.ts'
import { plainLine } from '../output/text.ts'
import type { SshHost } from '../ssh/index.ts'

/** What a server says of the program on it; whoever connects may ask, root or not. */
export interface ServerFacts {
  /** Undefined for processors that there is no bundle for. */
  readonly arch: BundleArch | undefined
  /** As `uname -m` names it. */
  readonly processor: string
  /** SHA-256 of the bundle that `current` leads to; undefined where there is none. */
  readonly running: string | undefined
  /** All that lie there. */
  readonly versions: readonly string[]
  /** Of the service, as systemd names them: `active`, `running`. */
  readonly unit: {
    readonly active: string
    readonly sub: string
    readonly since: string | null
    readonly restarts: number
  }
  /** Whether anything of ours lies on the server. */
  readonly isInstalled: boolean
}

/** Line by line a word and what belongs to it; nothing in it is from outside this program. */
const FACTS_COMMAND = [
  'echo "processor $(uname -m)"',
  'c=$(readlink /opt/makiatto/current 2>/dev/null) && echo "current $c"',
  'for d in /opt/makiatto/versions/*/; do [ -d "$d" ] && echo "version $(basename "$d")"; done',
  'for p in /opt/makiatto/journal.json /etc/systemd/system/makiatto.service /etc/makiatto/makiatto.toml /var/makiatto; do [ -e "$p" ] && echo "installed $p"; done',
  'systemctl show makiatto.service --property=ActiveState,SubState,ActiveEnterTimestamp,NRestarts 2>/dev/null | sed "s/^/unit /"',
  'exit 0',
].join('; ')

const SHA256 = /^[0-9a-f]{64}$/
const ARCHS: Readonly<Record<string, BundleArch>> = { x86_64: 'x64', aarch64: 'arm64', arm64: 'arm64' }
/** A server keeps three; more lines are nonsense. */
const MAX_LINES = 10_000

/** Asks a server. Throws MAKI_UNREACHABLE where the connection is lost, MAKI_PROTOCOL where its shell says something else. */
export async function readServerFacts(server: SshHost, signal?: AbortSignal): Promise<ServerFacts> {
  const { code, stdout } = await server.run(FACTS_COMMAND, signal === undefined ? {} : { signal })
  const facts = parseServerFacts(stdout)
  if (code === 0 && facts !== undefined) return facts
  throw new MakiError('MAKI_PROTOCOL', `the shell of ${server.target.host} does not do what it is told`, {
    hint: 'Log in with ssh and look at what it prints; the account needs a POSIX shell.',
  })
}

/** What the command printed, as a stranger's words; undefined where it is not that. Pure. */
export function parseServerFacts(text: string): ServerFacts | undefined {
  const found = new Map<string, string[]>()
  for (const line of text.split('\n').slice(0, MAX_LINES)) {
    const space = line.indexOf(' ')
    if (space < 1) continue
    const word = line.slice(0, space)
    found.set(word, [...(found.get(word) ?? []), plainLine(line.slice(space + 1).trim())])
  }
  const [processor] = found.get('processor') ?? []
  if (processor === undefined || processor === '') return undefined
  const current = found
    .get('current')?.[0]
    ?.split('/')
    .findLast((part) => part !== '')
  const unit = new Map(
    (found.get('unit') ?? []).map((line): [string, string] => {
      const [name = '', ...rest] = line.split('=')
      return [name, rest.join('=')]
    }),
  )
  const restarts = Number(unit.get('NRestarts'))
  return {
    arch: Object.hasOwn(ARCHS, processor) ? ARCHS[processor] : undefined,
    processor,
    running: current !== undefined && SHA256.test(current) ? current : undefined,
    versions: (found.get('version') ?? []).filter((version) => SHA256.test(version)),
    unit: {
      active: unit.get('ActiveState') ?? 'unknown',
      sub: unit.get('SubState') ?? 'unknown',
      since: unit.get('ActiveEnterTimestamp') || null,
      restarts: Number.isSafeInteger(restarts) ? restarts : 0,
    },
    isInstalled: found.has('installed') || found.has('version'),
  }
}
