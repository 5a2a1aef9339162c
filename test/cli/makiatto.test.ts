import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'

const PROGRAM = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'cli', 'bin', 'makiatto')

interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function run(args: readonly string[], input = ''): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(PROGRAM, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    const text = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (piece: string) => {
        text[name] += piece
      })
    }
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, ...text }))
  })
}

/** A node's folder and configuration; short, for the path of its socket has room for 107 bytes only. */
function setUp(t: Test, extra = ''): { folder: string; config: string; socket: string } {
  const folder = mkdtempSync(join(tmpdir(), 'maki-d-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const socket = join(folder, 'control.sock')
  const config = join(folder, 'makiatto.toml')
  writeFileSync(config, `[node]\nname = "one"\ndata_dir = "${folder}/data"\ncontrol = "${socket}"\n${extra}`)
  return { folder, config, socket }
}

t.test('what it is, and what it is not', async (t) => {
  t.match(await run(['--version']), { code: 0, stdout: /^makiatto \d+\.\d+\.\d+\n$/, stderr: '' })
  for (const args of [[], ['--help'], ['run', '--help']])
    t.match(await run(args), { code: 0, stdout: /USAGE/, stderr: '' })
  const wrong = [['walk'], ['run', 'fast'], ['run', '--fast'], ['--config'], ['run', '--only']]
  for (const args of wrong) t.match(await run(args), { code: 2, stdout: '', stderr: /makiatto --help/ }, args.join(' '))
})

t.test('a configuration that is not there, or wrong, is named', async (t) => {
  const { config, folder } = setUp(t, 'workers = 3\n')
  t.match(await run(['run', '--config', join(folder, 'none.toml')]), { code: 2, stderr: /there is no such file/ })
  writeFileSync(config, '[node]\nname = 7\n')
  t.match(await run(['run', '--config', config]), { code: 2, stderr: /makiatto\.toml:2/ })
})

t.test('a part that does not exist is refused before anything starts', async (t) => {
  const { config } = setUp(t)
  t.match(await run(['run', '--config', config, '--only', 'dns,ftp']), { code: 2, stderr: /"ftp"[\s\S]*dns, http/ })
})

t.test('a key is made once, for nobody else to read', async (t) => {
  const { config, folder } = setUp(t)
  const made = await run(['keygen', '--config', config])
  t.match(made, { code: 0, stdout: /^[a-z2-7]{52}\n$/ })
  const path = join(folder, 'data', 'keys', 'node.key')
  t.equal(statSync(path).mode & 0o777, 0o600)
  const kept = readFileSync(path, 'utf8')
  t.notOk(kept.includes(made.stdout.trim()), 'what is printed is the public key')
  const both = JSON.parse((await run(['keygen', '--json', '--config', config])).stdout) as Record<string, string>
  t.equal(readFileSync(path, 'utf8'), kept)
  t.strictSame(Object.keys(both), ['key', 'wireguardKey'])
  t.equal(both.key, made.stdout.trim())
  t.match(both.wireguardKey, /^[A-Za-z0-9+/]{43}=$/)
  const secret = join(folder, 'data', 'keys', 'wireguard.key')
  t.equal(statSync(secret).mode & 0o777, 0o600)
  t.notOk(readFileSync(secret, 'utf8').includes(both.wireguardKey as string))
})

t.test('a node without cluster, or without key, says what it lacks', async (t) => {
  const { config } = setUp(t)
  t.match(await run(['run', '--config', config]), { code: 2, stderr: /which cluster this node belongs to/ })
  const cluster = `cluster = "${'a'.repeat(52)}"\n`
  const other = setUp(t, cluster)
  t.match(await run(['run', '--config', other.config]), { code: 4, stderr: /has no key[\s\S]*makiatto keygen/ })
})

t.test('stdio joins the control socket, both ways and to the end', async (t) => {
  const { config, socket } = setUp(t)
  t.match(await run(['stdio', '--config', config]), {
    code: 3,
    stderr: /does not answer[\s\S]*systemctl status makiatto/,
  })
  const server = createServer({ allowHalfOpen: true }, (connection) => {
    let heard = ''
    connection.on('data', (chunk) => {
      heard += chunk
    })
    connection.on('end', () => connection.end(`heard ${heard.length} bytes, ${heard.slice(-3)}`))
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  t.teardown(() => server.close())
  const input = `${'x'.repeat(3_000_000)}end`
  t.same(await run(['stdio', '--config', config], input), { code: 0, stdout: 'heard 3000003 bytes, end', stderr: '' })
})
