import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { connectSsh, formatFingerprint, type LoginOptions, parseHostKey } from '../../../cli/ssh/index.ts'
import { buildSeedKey } from '../../../cli/ssh/key-file.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { encodeBase32, MakiError } from '../../../core/index.ts'
import { findFreePorts } from '../../support/free-ports.ts'
import { makeKey, Sshd } from '../../support/sshd.ts'

/** Connections to Debian's sshd: who they are, who we are, and why it does not work. */

const sshd = await Sshd.start({ hostKeys: ['ed25519', 'ecdsa', 'rsa'] })
t.teardown(() => sshd[Symbol.asyncDispose]())
const home = t.testdir()
mkdirSync(join(home, '.ssh'))
const file = (name: string): string => join(home, name)
const PASSPHRASE = 'planted-passphrase'
const lines = {
  plain: makeKey(file('plain')),
  locked: makeKey(file('locked'), { passphrase: PASSPHRASE }),
  lockedPem: makeKey(file('locked-pem'), { type: 'rsa', passphrase: PASSPHRASE, format: 'PEM' }),
  rsa: makeKey(file('rsa'), { type: 'rsa', format: 'PEM' }),
  ecdsa: makeKey(file('ecdsa'), { type: 'ecdsa' }),
  pkcs8: makeKey(file('pkcs8'), { type: 'rsa', format: 'PKCS8' }),
  stranger: makeKey(file('stranger')),
}
const { stranger: _, ...allowed } = lines

const options = (more: Partial<LoginOptions> = {}): LoginOptions => ({
  target: { user: 'root', host: '127.0.0.1', port: sshd.port },
  name: 'berlin',
  hostKey: sshd.hostKey(),
  firstUse: 'require',
  keyFile: file('plain'),
  env: { HOME: home },
  runtime: systemRuntime,
  signal: new AbortController().signal,
  onNote: () => {},
  ...more,
})

/** Connects, runs one command and closes; gives what it said. */
async function visit(more: Partial<LoginOptions> = {}): Promise<string> {
  await using host = await connectSsh(options(more))
  return (await host.run('echo visited')).stdout.trim()
}

async function refusal(more: Partial<LoginOptions> = {}): Promise<MakiError> {
  const error = await connectSsh(options(more)).then(
    async (host) => {
      await host[Symbol.asyncDispose]()
      return new Error('it was let in')
    },
    (thrown: unknown) => thrown,
  )
  if (error instanceof MakiError) return error
  throw error
}

t.beforeEach(() => sshd.allow(...Object.values(allowed)))

t.test('the pinned key of the server is asked for, whatever others it has', async (t) => {
  for (const type of ['ed25519', 'ecdsa', 'rsa']) t.equal(await visit({ hostKey: sshd.hostKey(type) }), 'visited', type)
})

t.test('another host key is refused with both fingerprints, before anything is sent', async (t) => {
  const other = makeKey(file('other-host'))
  const before = sshd.output.length
  const error = await refusal({ hostKey: other })
  t.equal(error.code, 'MAKI_CONFLICT')
  for (const text of [other, sshd.hostKey()]) t.match(error.message, formatFingerprint(parseHostKey(text)))
  t.match(error.hint, sshd.hostKey())
  t.notMatch(sshd.output.slice(before), /Accepted|Failed|publickey/, 'no key was shown')
  const error2 = await refusal({ hostKey: makeKey(file('other-rsa'), { type: 'rsa' }) })
  t.equal(error2.code, 'MAKI_CONFLICT', 'also where only the type is another')
})

t.test('known_hosts is believed, hashed or not; one that differs is refused, revoked ones too', async (t) => {
  const known = file('.ssh/known_hosts')
  const place = `[127.0.0.1]:${sshd.port}`
  const first = { hostKey: undefined }
  writeFileSync(known, `${place} ${sshd.hostKey('ecdsa')}\n`)
  t.equal(await visit(first), 'visited')
  execFileSync('ssh-keygen', ['-H', '-f', known], { stdio: 'ignore' })
  t.equal(await visit(first), 'visited', 'hashed')
  writeFileSync(known, `${place} ${makeKey(file('older'))}\n`)
  t.equal((await refusal(first)).code, 'MAKI_CONFLICT')
  writeFileSync(known, `@revoked * ${sshd.hostKey()}\n`)
  t.match((await refusal({})).message, /revokes/, 'whatever is pinned')
  writeFileSync(known, '')
})

t.test('a server that is new is asked about, said, or refused', async (t) => {
  const shown = formatFingerprint(parseHostKey(sshd.hostKey()))
  const first = { hostKey: undefined }
  const refused = await refusal(first)
  t.equal(refused.code, 'MAKI_USAGE')
  t.match(refused.message, shown)
  for (const firstUse of ['take', 'ask'] as const) {
    const notes: string[] = []
    t.equal(await visit({ ...first, firstUse, onNote: (note) => notes.push(note) }), 'visited')
    t.match(notes.join(), shown)
  }
  for (const firstUse of ['ask', 'require'] as const) {
    const questions: string[] = []
    const ask = (answer: string) => async (question: string) => {
      questions.push(question)
      return answer
    }
    t.equal(await visit({ ...first, firstUse, ask: ask('yes') }), 'visited')
    t.match(questions.join(), shown)
    t.equal((await refusal({ ...first, firstUse, ask: ask('') })).code, 'MAKI_USAGE')
  }
})

t.test('keys of every form that OpenSSH writes', async (t) => {
  for (const name of ['plain', 'rsa', 'ecdsa']) t.equal(await visit({ keyFile: file(name) }), 'visited', name)
  t.match((await refusal({ keyFile: file('pkcs8') })).message, /PKCS #8/)
  t.match((await refusal({ keyFile: file('plain.pub') })).message, /may be read by others|public key/)
  t.match((await refusal({ keyFile: file('none') })).message, /no key file/)
  chmodSync(file('plain'), 0o640)
  t.match((await refusal()).message, /may be read by others \(mode 640\)/)
  chmodSync(file('plain'), 0o600)
})

t.test('a passphrase is asked for once, again when it is wrong, and only where the key would be taken', async (t) => {
  for (const name of ['locked', 'locked-pem']) {
    const typed = ['wrong', PASSPHRASE]
    t.equal(await visit({ keyFile: file(name), askSecret: async () => typed.shift() ?? '' }), 'visited', name)
    t.equal(typed.length, 0)
    const error = await refusal({ keyFile: file(name) })
    t.match(`${error.message} ${error.hint}`, /no terminal/)
  }
  sshd.allow(allowed.plain)
  let asked = 0
  const askSecret = async () => `${++asked}`
  await refusal({ keyFile: file('locked'), askSecret })
  t.equal(asked, 0, 'the server does not take this key')
})

t.test('a key of makiatto is an SSH key, with --key and as the operator of a profile', async (t) => {
  const seed = Uint8Array.from({ length: 32 }, (_, i) => i)
  const key = file('maki.key')
  writeFileSync(key, `# a key\n${encodeBase32(seed)}\n`, { mode: 0o600 })
  sshd.allow(`restrict ssh-ed25519 ${buildSeedKey(seed).publicKey.toString('base64')}`)
  t.equal(await visit({ keyFile: undefined, makiKeyFile: key }), 'visited')
  t.equal(await visit({ keyFile: undefined, operatorKeyFile: key }), 'visited')
  t.equal((await refusal({ keyFile: undefined, makiKeyFile: file('none') })).code, 'MAKI_NOT_FOUND')
})

t.test('the keys of an agent, and those in ~/.ssh', async (t) => {
  const socket = file('agent.sock')
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] })
  t.teardown(() => end(agent))
  await once(agent.stdout, 'data')
  const env = { HOME: home, SSH_AUTH_SOCK: socket }
  for (const name of ['stranger', 'rsa', 'ecdsa', 'plain']) {
    execFileSync('ssh-add', ['-q', file(name)], { env: { ...process.env, ...env }, stdio: 'ignore' })
    const offered = { keyFile: undefined, env }
    if (name === 'stranger')
      t.match((await refusal(offered)).message, /key of ssh-agent .* the server does not take it/)
    else t.equal(await visit(offered), 'visited', name)
    execFileSync('ssh-add', ['-q', '-D'], { env: { ...process.env, ...env }, stdio: 'ignore' })
  }
  for (const [name, path] of [
    ['ed25519', 'plain'],
    ['rsa', 'rsa'],
    ['ecdsa', 'ecdsa'],
  ] as const) {
    writeFileSync(file(`.ssh/id_${name}`), readFileSync(file(path)), { mode: 0o600 })
    t.equal(await visit({ keyFile: undefined }), 'visited', `id_${name}`)
    writeFileSync(file(`.ssh/id_${name}`), readFileSync(file('stranger')), { mode: 0o600 })
  }
})

t.test('what was tried is listed, and nothing that is secret', async (t) => {
  sshd.allow()
  const seen: string[] = []
  const error = await refusal({
    keyFile: file('locked'),
    env: { HOME: home, SSH_AUTH_SOCK: file('gone.sock') },
    askSecret: async () => PASSPHRASE,
  })
  for (let at: unknown = error; at instanceof Error; at = at.cause)
    seen.push(at.message, at.stack ?? '', JSON.stringify(at))
  seen.push(error.hint ?? '')
  const all = seen.join('\n')
  t.equal(error.code, 'MAKI_UNREACHABLE')
  t.match(error.message, /locked \(SHA256:[^)]+\): the server does not take it/)
  t.match(error.message, /ssh-agent: it does not answer/)
  t.match(error.message, /id_ed25519 \(SHA256/)
  t.match(error.hint, /passwords are not offered/)
  const body = readFileSync(file('locked'), 'utf8').split('\n')[1] as string
  t.match(readFileSync(file('locked'), 'utf8'), body, 'the search finds what is there')
  for (const secret of [PASSPHRASE, body]) t.notMatch(all, secret)
})

t.test('what is not reached says why', async (t) => {
  const free = await findFreePorts([0, 1, 2])
  const at = (port: number) => ({ target: { user: 'root', host: '127.0.0.1', port } })
  t.match((await refusal(at(free))).message, /nothing listens at 127\.0\.0\.1/)
  await using silent = await listen(free + 1, () => {})
  await using web = await listen(free + 2, (socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  t.ok(silent && web)
  const late = await refusal({ ...at(free + 1), patience: { loginMs: 200 } })
  t.match(late.message, /let nobody in within 0\.2 s/)
  const spoken = await refusal(at(free + 2))
  t.equal(spoken.code, 'MAKI_UNREACHABLE')
  t.match(spoken.message, /before it let anybody in|does not speak SSH/)
})

t.test('no way to speak that both sides know', async (t) => {
  await using old = await Sshd.start({ config: ['KexAlgorithms diffie-hellman-group14-sha1'] })
  const error = await refusal({ target: { user: 'root', host: '127.0.0.1', port: old.port }, hostKey: old.hostKey() })
  t.match(error.message, /no way to speak that both sides know/)
})

t.test('an interruption ends the wait', async (t) => {
  const controller = new AbortController()
  const reason = new Error('interrupted')
  const asking = connectSsh(
    options({
      hostKey: undefined,
      signal: controller.signal,
      ask: () => {
        controller.abort(reason)
        return new Promise(() => {})
      },
    }),
  )
  await t.rejects(asking, reason)
})

function end(child: ChildProcess): void {
  child.kill('SIGKILL')
}

async function listen(port: number, onConnection: (socket: Socket) => void): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    onConnection(socket)
  }).listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
