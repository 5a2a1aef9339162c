/** The daemon's program: `makiatto run`, `stdio`, `keygen`, `--version`. */
import { connect } from 'node:net'
import { parseArgs } from 'node:util'
import { asMakiError, MakiError } from '../core/index.ts'
import { DAEMON_CONFIG_FILE, loadDaemonConfig } from './config/index.ts'
import { readPackageInfo } from './program/package-info.ts'
import { systemRuntime } from './system.ts'

const USAGE = `makiatto: a node of a content delivery network that a person owns

USAGE
  makiatto run [--config FILE] [--only PARTS] [--no-dns] [--no-http] [--no-wireguard]
  makiatto stdio [--config FILE]      connect standard input and output to the control socket
  makiatto check [--config FILE]      read the configuration; print what this program reads
  makiatto keygen [--config FILE] [--json]
                                      make this node's keys if it has none; print the public one, of both with --json
  makiatto setup                      change this server, as root: for maki machine, which says how on standard input
  makiatto --version

OPTIONS
  --config FILE   the node's configuration (default ${DAEMON_CONFIG_FILE})
  --only PARTS    run only these, of dns and http: --only dns,http
  --no-dns        do not answer DNS
  --no-http       do not serve HTTP
  --no-wireguard  do not manage the WireGuard interface

Logs are JSON lines on standard output. SIGTERM and SIGINT end the daemon after what is under way; SIGUSR2 leaves its
workers serving for the next one.
`

const COMMANDS = ['run', 'stdio', 'check', 'keygen', 'setup', 'apply'] as const
type Command = (typeof COMMANDS)[number]
const isCommand = (text: string): text is Command => (COMMANDS as readonly string[]).includes(text)

async function main(args: readonly string[]): Promise<void> {
  const { values, positionals } = parse(args)
  if (values.version === true) return print(`makiatto ${readPackageInfo().version}`)
  const [command, ...rest] = positionals
  if (values.help === true || command === undefined) return print(USAGE.trimEnd())
  if (!isCommand(command)) throw usage(`there is no command ${JSON.stringify(command)}`)
  if (rest.length > 0) throw usage(`${JSON.stringify(rest.join(' '))} was not expected after ${command}`)
  if (command === 'apply' || command === 'setup') {
    const { runActivation, runSetup } = await import('./setup/index.ts')
    return await (command === 'apply' ? runActivation : runSetup)(systemRuntime)
  }
  const config = await loadDaemonConfig(values.config)
  if (command === 'stdio') return await joinControlSocket(config.node.control)
  // Loaded here, so that the others do not wait for all of a node.
  const { ensureWireGuardKey, makeNodeKey, parseParts, runDaemon } = await import('./node/index.ts')
  switch (command) {
    case 'run': {
      const { only, 'no-dns': noDns, 'no-http': noHttp, 'no-wireguard': noWireguard } = values
      return await runDaemon(config, parseParts({ only, noDns, noHttp, noWireguard }, config))
    }
    case 'check': {
      const { describeProgram } = await import('./check-program.ts')
      return print(JSON.stringify(describeProgram()))
    }
    case 'keygen': {
      const key = await makeNodeKey(config.node.data_dir)
      const { publicKey } = await ensureWireGuardKey(config.node.data_dir, systemRuntime)
      return print(values.json === true ? JSON.stringify({ key, wireguardKey: publicKey }) : key)
    }
    default:
      command satisfies never
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        config: { type: 'string' },
        only: { type: 'string' },
        'no-dns': { type: 'boolean' },
        'no-http': { type: 'boolean' },
        'no-wireguard': { type: 'boolean' },
        json: { type: 'boolean' },
        version: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (cause) {
    throw usage(asMakiError(cause).message, cause)
  }
}

/** What `maki` talks to over SSH: the control API on standard input and output. */
async function joinControlSocket(path: string): Promise<void> {
  const socket = connect(path)
  const done = new Promise<void>((resolve, reject) => {
    socket.on('close', () => resolve())
    socket.on('error', (cause) => {
      const hint = 'Is the daemon running? systemctl status makiatto'
      reject(
        new MakiError('MAKI_UNREACHABLE', `the control socket ${path} does not answer: ${cause.message}`, {
          cause,
          hint,
        }),
      )
    })
  })
  process.stdin.pipe(socket).pipe(process.stdout)
  // Whoever listened there has gone; nobody is left to answer.
  process.stdin.on('error', () => socket.destroy())
  process.stdout.on('error', () => socket.destroy())
  try {
    await done
  } finally {
    // The daemon has said all: an input that stays open must not keep this process.
    process.stdin.destroy()
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

const usage = (message: string, cause?: unknown) =>
  new MakiError('MAKI_USAGE', message, { cause, hint: 'makiatto --help' })

try {
  await main(process.argv.slice(2))
} catch (thrown) {
  const error = asMakiError(thrown)
  process.stderr.write(`makiatto: ${error.message}\n${error.hint === undefined ? '' : `${error.hint}\n`}`)
  process.exitCode = error.exitCode
}
