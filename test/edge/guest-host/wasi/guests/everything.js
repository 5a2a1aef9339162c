// Tries everything that a guest may want of WASI, and answers with what came of each: a value, or the code it was refused with.
import { getArguments, getEnvironment, initialCwd } from 'wasi:cli/environment@0.2.12'
import { exit } from 'wasi:cli/exit@0.2.12'
import { getStderr } from 'wasi:cli/stderr@0.2.12'
import { getStdin } from 'wasi:cli/stdin@0.2.12'
import { getStdout } from 'wasi:cli/stdout@0.2.12'
import { getTerminalStdout } from 'wasi:cli/terminal-stdout@0.2.12'
import { now, resolution, subscribeDuration } from 'wasi:clocks/monotonic-clock@0.2.12'
import { now as wallNow } from 'wasi:clocks/wall-clock@0.2.12'
import { getDirectories } from 'wasi:filesystem/preopens@0.2.12'
import { poll } from 'wasi:io/poll@0.2.12'
import { insecureSeed } from 'wasi:random/insecure-seed@0.2.12'
import { getRandomBytes } from 'wasi:random/random@0.2.12'
import { instanceNetwork } from 'wasi:sockets/instance-network@0.2.12'
import { resolveAddresses } from 'wasi:sockets/ip-name-lookup@0.2.12'
import { createTcpSocket } from 'wasi:sockets/tcp-create-socket@0.2.12'
import { createUdpSocket } from 'wasi:sockets/udp-create-socket@0.2.12'

const READ = { read: true }
const WRITE = { write: true }
const FOLLOW = { symlinkFollow: true }
const NOW = { tag: 'now' }
const LOOPBACK = { tag: 'ipv4', val: { port: 80, address: [127, 0, 0, 1] } }

const text = (bytes) => String.fromCharCode(...bytes)
const bytes = (string) => new Uint8Array([...string].map((char) => char.charCodeAt(0)))

function tryAll(tried) {
  const outcomes = {}
  for (const [name, act] of Object.entries(tried)) {
    try {
      const value = act()
      outcomes[name] = { value: value === undefined ? null : value }
    } catch (error) {
      const payload = error?.payload ?? error
      outcomes[name] = { code: typeof payload === 'string' ? payload : (payload?.tag ?? String(error)) }
    }
  }
  return outcomes
}

function files() {
  const [[root, name]] = getDirectories()
  const open = (path, how = {}, flags = READ) => root.openAt(FOLLOW, path, how, flags)
  const read = (path) => text(open(path).read(100, 0)[0])
  const list = (path) => {
    const stream = open(path, { directory: true }).readDirectory()
    const names = []
    for (let entry = stream.readDirectoryEntry(); entry; entry = stream.readDirectoryEntry())
      names.push(`${entry.name}:${entry.type}`)
    return names
  }
  return {
    reads: tryAll({
      preopen: () => name,
      flags: () => Object.entries(root.getFlags()).filter(([, on]) => on),
      a: () => read('a.txt'),
      deep: () => read('./sub/../sub/b'),
      streamed: () => text(open('a.txt').readViaStream(1).blockingRead(100)),
      size: () => Number(root.statAt(FOLLOW, 'a.txt').size),
      list: () => list('.'),
      'read nothing': () => read('nothing'),
      'read outside': () => read('../secret.txt'),
      'read outside, by way of inside': () => read('sub/../../secret.txt'),
      'read from the root': () => read('/etc/passwd'),
      'read behind a link that there is not': () => read('up/secret.txt'),
      'stat outside': () => root.statAt({}, '..'),
      'hash outside': () => root.metadataHashAt({}, '../x'),
      'read a link': () => root.readlinkAt('a.txt'),
      'open no name': () => read(''),
      'open a NUL': () => read('a\0b'),
    }),
    writes: tryAll({
      create: () => open('new.txt', { create: true }, WRITE),
      'create to read': () => open('new.txt', { create: true }),
      truncate: () => open('a.txt', { truncate: true }),
      exclusive: () => open('a.txt', { create: true, exclusive: true }),
      'open to write': () => open('a.txt', {}, { read: true, write: true }),
      'open a folder to change it': () => open('sub', {}, { read: true, mutateDirectory: true }),
      write: () => open('a.txt').write(bytes('x'), 0),
      writeViaStream: () => open('a.txt').writeViaStream(0),
      appendViaStream: () => open('a.txt').appendViaStream(),
      setSize: () => open('a.txt').setSize(0),
      setTimes: () => open('a.txt').setTimes(NOW, NOW),
      setTimesAt: () => root.setTimesAt(FOLLOW, 'a.txt', NOW, NOW),
      createDirectoryAt: () => root.createDirectoryAt('d'),
      removeDirectoryAt: () => root.removeDirectoryAt('sub'),
      symlinkAt: () => root.symlinkAt('../secret.txt', 'evil'),
      linkAt: () => root.linkAt({}, 'a.txt', root, 'hard'),
      renameAt: () => root.renameAt('a.txt', root, 'b.txt'),
      unlinkFileAt: () => root.unlinkFileAt('a.txt'),
    }),
  }
}

function network() {
  const ours = instanceNetwork()
  const connect = (address) => {
    const socket = createTcpSocket('ipv4')
    socket.startConnect(ours, address)
    socket.subscribe().block()
    const [input, output] = socket.finishConnect()
    output.blockingWriteAndFlush(bytes('ping'))
    return text(input.blockingRead(100))
  }
  return tryAll({
    connect: () => connect({ tag: 'ipv4', val: { port: 7, address: [192, 0, 2, 9] } }),
    'connect to itself': () => connect(LOOPBACK),
    'connect to nowhere': () => connect({ tag: 'ipv4', val: { port: 0, address: [0, 0, 0, 0] } }),
    bind: () => createTcpSocket('ipv4').startBind(ours, LOOPBACK),
    listen: () => createTcpSocket('ipv4').startListen(),
    accept: () => createTcpSocket('ipv4').accept(),
    udp: () => createUdpSocket('ipv4'),
    'udp over IPv6': () => createUdpSocket('ipv6'),
    resolve: () => resolveAddresses(ours, 'example.org').resolveNextAddress().val,
    'resolve no name': () => resolveAddresses(ours, ''),
  })
}

function rest() {
  return tryAll({
    environment: () => getEnvironment(),
    arguments: () => getArguments(),
    folder: () => initialCwd() ?? 'none',
    terminal: () => (getTerminalStdout() === undefined || getTerminalStdout() === null ? 'none' : 'one'),
    input: () => getStdin().blockingRead(1),
    print: () => getStdout().blockingWriteAndFlush(bytes('printed\n')),
    complain: () => getStderr().blockingWriteAndFlush(bytes('complained\n')),
    clock: () => Number(now()) % Number(resolution()),
    wall: () => Number(wallNow().seconds),
    sleep: () => {
      const before = Number(now())
      poll([subscribeDuration(20_000_000), subscribeDuration(500_000_000)])
      return Number(now()) - before
    },
    random: () => getRandomBytes(16).length,
    seed: () => insecureSeed().length,
  })
}

export const handler = {
  handleRequest(_context, { path }) {
    if (path === '/exit') exit({ tag: 'ok' })
    if (path === '/random') getRandomBytes(2 ** 32)
    if (path === '/print') getStdout().write(bytes('x'))
    const outcome = { files, network, rest }[path.slice(1)]()
    return { status: 200, headers: [], body: bytes(JSON.stringify(outcome)) }
  },
}
