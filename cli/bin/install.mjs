// Installs what a checkout lacks, for `npm start` and `npm test`. Runs on the system's Node (20 or newer) before any
// package is there, so it imports nothing but Node itself. Quick and silent when nothing is missing.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { apt, installTestPackages } from './system-packages.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const modules = join(root, 'node_modules')
const stampFile = join(modules, '.makiatto-installed')
const lockFile = join(root, '.install.lock')

/** npm's words for having no way to the registry. */
const NO_NETWORK = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED|network/i

class Refusal extends Error {}

function main() {
  if (Number(process.versions.node.split('.')[0]) < 20) {
    throw new Refusal(`Node ${process.versions.node} is too old to run npm here. Install Node 20 or newer.`)
  }
  if (process.platform === 'win32') throw new Refusal('Windows is not supported. Use WSL, and run this in there.')
  if (!isInstalled()) exclusively(() => isInstalled() || installModules())
  checkNode()
  if (process.argv.includes('--tests')) exclusively(installTestPackages)
}

// --- node_modules ----------------------------------------------------------------------------------------------

/** Packages that this machine should have, by their folder: all that are not meant for another platform. */
function wantedPackages(lock) {
  return Object.entries(lock.packages).filter(([path, entry]) => {
    if (path === '' || entry.link) return false
    if (!entry.optional) return true
    return allows(entry.os, process.platform) && allows(entry.cpu, process.arch) && allows(entry.libc, libc())
  })
}

const allows = (list, value) => list === undefined || list.includes(value)

function libc() {
  if (process.platform !== 'linux') return undefined
  return existsSync('/lib/ld-musl-x86_64.so.1') || existsSync('/lib/ld-musl-aarch64.so.1') ? 'musl' : 'glibc'
}

/**
 * True when node_modules is whole. The stamp says for which lock file; without it npm's own record is compared, which
 * npm writes last, so that an install that was broken off is not taken for a whole one.
 */
function isInstalled() {
  const lockText = readFileSync(join(root, 'package-lock.json'), 'utf8')
  const wanted = wantedPackages(JSON.parse(lockText))
  const stamp = readJson(stampFile)
  const here = ([path]) => existsSync(join(root, path, 'package.json'))
  if (stamp?.lock === hash(lockText)) return wanted.every((entry) => stamp.absent.includes(entry[0]) || here(entry))
  const record = readJson(join(modules, '.package-lock.json'))?.packages
  if (record === undefined) return false
  // npm leaves out what only a package for another platform depends on, and only that names its platform.
  const isNobodys = ([path, { optional, os, cpu }]) => optional && !os && !cpu && record[path] === undefined
  const isRecorded = ([path, { version, integrity }]) =>
    record[path]?.version === version && record[path]?.integrity === integrity
  const same = (entry) => isNobodys(entry) || (isRecorded(entry) && here(entry))
  if (!wanted.every(same)) return false
  writeStamp()
  return true
}

function writeStamp() {
  const lockText = readFileSync(join(root, 'package-lock.json'), 'utf8')
  const absent = wantedPackages(JSON.parse(lockText))
    .map(([path]) => path)
    .filter((path) => !existsSync(join(root, path, 'package.json')))
  writeFileSync(stampFile, JSON.stringify({ lock: hash(lockText), absent }))
}

const hash = (text) => createHash('sha256').update(`${process.platform} ${process.arch}\n${text}`).digest('hex')

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

function installModules() {
  say('Installing the packages of this checkout (about half a minute the first time) …')
  // No package needs a script of its own: native parts come along made, and compilers are not asked for.
  const args = [
    'ci',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    '--prefer-offline',
    '--fetch-retries=1',
  ]
  const result = runNpm([...args, '--include=dev', '--include=optional'])
  if (result.status !== 0) {
    const output = `${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`.trim()
    // What is half there must not pass for whole.
    rmSync(stampFile, { force: true })
    if (NO_NETWORK.test(output)) {
      throw new Refusal(`${output}\n\nThe packages could not be fetched: there seems to be no connection to the package
registry. Connect this machine, then type the same command again.`)
    }
    throw new Refusal(`${output}\n\nInstalling the packages failed; npm said why above. Nothing else was changed.`)
  }
  writeStamp()
}

/** The npm that runs us, else the one on the PATH. */
function runNpm(args) {
  const npm = process.env.npm_execpath
  const [command, ...first] = npm?.endsWith('.js') ? [process.execPath, npm] : ['npm']
  const env = { ...process.env, NODE_ENV: '' }
  return spawnSync(command, [...first, ...args], { cwd: root, env, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
}

// --- Node 26 -----------------------------------------------------------------------------------------------------

/** Runs the Node that `cli/bin/node` finds, and mends or explains what keeps it from running. */
function checkNode() {
  const run = () => spawnSync(join(root, 'cli', 'bin', 'node'), ['--version'], { encoding: 'utf8' })
  let result = run()
  if (result.status === 0) return
  const said = () => `${result.stderr ?? ''}${result.error?.message ?? ''}`.trim()
  if (said().includes('libatomic.so.1')) {
    if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
      say('Installing libatomic1, which Node 26 needs …')
      apt(['update', '-q'])
      apt(['install', '-y', '-q', '--no-install-recommends', 'libatomic1'])
      result = run()
      if (result.status === 0) return
    }
    throw new Refusal(`${said()}\n\nNode 26 needs the library libatomic.so.1. Type: sudo apt-get install libatomic1
(Fedora, Red Hat: sudo dnf install libatomic), then the same command again.`)
  }
  throw new Refusal(`${said()}\n\nThe project's Node 26 does not run on this machine (${process.platform} ${process.arch}${
    libc() === 'musl' ? ', musl' : ''
  }).
Install Node 26 or newer so that \`node\` on the PATH is it, then type the same command again.`)
}

// --- one at a time -------------------------------------------------------------------------------------------------

/** Runs `act` while no other install of this checkout does; a lock left by a dead process is taken over. */
function exclusively(act) {
  const mine = `${process.pid} ${startOf(process.pid)}`
  const draft = `${lockFile}.${process.pid}`
  // Linked into place, so that the lock never exists without the name of its holder.
  writeFileSync(draft, mine)
  try {
    let told = false
    while (!tryLink(draft)) {
      const holder = readText(lockFile)
      if (holder === undefined) continue
      const [pid, start] = holder.split(' ')
      if (startOf(Number(pid)) !== start) {
        takeAway(holder)
        continue
      }
      if (!told) say(`Waiting for another install in this checkout (process ${pid}) …`)
      told = true
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
    }
    try {
      return act()
    } finally {
      rmSync(lockFile, { force: true })
    }
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Removes a dead holder's lock; one that another process put there meanwhile is put back. */
function takeAway(holder) {
  const aside = `${lockFile}.stale.${process.pid}`
  try {
    renameSync(lockFile, aside)
    if (readText(aside) !== holder) linkSync(aside, lockFile)
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error
  }
  rmSync(aside, { force: true })
}

function tryLink(draft) {
  try {
    linkSync(draft, lockFile)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

/** What tells this process from a later one of the same number; `gone` when there is none. */
function startOf(pid) {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (error.code !== 'EPERM') return 'gone'
  }
  const stat = readText(`/proc/${pid}/stat`)
  if (stat === undefined) return 'alive'
  // Fields 3 and 22 (state and start), counted after the command in parentheses, which may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' ? 'gone' : fields[19]
}

function readText(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function say(text) {
  process.stderr.write(`${text}\n`)
}

try {
  main()
} catch (error) {
  if (!(error instanceof Refusal)) throw error
  say(error.message)
  process.exitCode = 1
}
