import { execFileSync } from 'node:child_process'
import { globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child } from './child.ts'
import { Initramfs } from './initramfs.ts'

const ROOT = resolve(import.meta.dirname, '../..')
/** Debian's kernel for virtual machines: small, and with what ours may lack. */
const KERNEL_PACKAGE = 'linux-image-cloud-amd64'

/** What is wanted of a machine. */
export interface EmulatedMachine {
  /** Modules of the kernel, without `.ko`; loaded in whatever order they ask for. */
  readonly modules: readonly string[]
  /** Programs of this machine. */
  readonly programs: readonly string[]
  /** A TypeScript file of this checkout, which is run with these arguments when all is loaded. */
  readonly main: string
  readonly args: readonly string[]
}

/**
 * Boots a machine with a kernel of its own, all emulated, so that no rights and no support by the hardware are needed, and runs a program of
 * ours in it with the Node of this process. Gives the lines that it wrote; the machine is gone then.
 */
export async function runInMachine(wanted: EmulatedMachine): Promise<readonly string[]> {
  const kernel = provideKernel()
  const folder = mkdtempSync(join(tmpdir(), 'maki-machine-'))
  try {
    const disk = join(folder, 'initramfs')
    writeFileSync(disk, buildDisk(wanted, kernel))
    // Gone with us, however we end.
    await using machine = new Child('setpriv', [
      '--pdeathsig',
      'KILL',
      'qemu-system-x86_64',
      ...OPTIONS,
      '-kernel',
      kernel.image,
      '-initrd',
      disk,
    ])
    const { code } = await machine.ended
    if (code !== 0) throw new Error(`the machine ended with ${code}:\n${machine.output}`)
    return machine.lines.map((line) => line.replace(/\r$/, ''))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const OPTIONS = [
  ...['-M', 'q35', '-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '640'],
  ...['-nodefaults', '-no-user-config', '-display', 'none', '-serial', 'stdio', '-no-reboot'],
  ...['-append', 'console=ttyS0 quiet loglevel=0 panic=-1 random.trust_cpu=on'],
]

const BOOT = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
NODE --disable-warning=ExperimentalWarning MODULES || echo "the modules were not loaded: $?"
ip link set lo up
NODE --disable-warning=ExperimentalWarning MAIN || echo "the program ended with $?"
echo b > /proc/sysrq-trigger
`

/** Each is tried until none can be loaded any more, which sets them in order. */
const LOADER = `
import { closeSync, openSync } from 'node:fs'
import { dlopen } from 'node:ffi'
const { functions } = dlopen(null, { syscall: { arguments: ['i64', 'i64', 'buffer', 'i64'], return: 'i64' } })
const FINIT_MODULE = 313n
let left = process.argv.slice(2)
for (let before = -1; left.length !== before; ) {
  before = left.length
  left = left.filter((path) => {
    const fd = openSync(path, 'r')
    try { return functions.syscall(FINIT_MODULE, BigInt(fd), Buffer.from('\\0'), 0n) !== 0n } finally { closeSync(fd) }
  })
}
`

interface Kernel {
  readonly image: string
  readonly modules: string
}

function buildDisk({ modules, programs, main, args }: EmulatedMachine, kernel: Kernel): Buffer {
  const disk = new Initramfs()
  disk.addFolder('run/wireguard')
  for (const program of ['sh', 'mount', ...programs]) {
    const path = execFileSync('sh', ['-c', 'command -v "$1"', 'sh', program], { encoding: 'utf8' }).trim()
    disk.addProgram(path)
    if (program === 'sh') disk.addProgram(path, '/bin/sh')
  }
  disk.addProgram(process.execPath)
  const found = modules.map((name) => {
    const [path] = globSync(`${kernel.modules}/**/${name}.ko`)
    if (path === undefined) throw new Error(`the kernel has no module ${name}`)
    disk.addFile(`modules/${basename(path)}`, readFileSync(path))
    return `/modules/${basename(path)}`
  })
  for (const path of listSources(main)) disk.addFile(path, readFileSync(path))
  disk.addFile('loader.mjs', Buffer.from(LOADER))
  const script = BOOT.replaceAll('NODE', process.execPath)
    .replace('MODULES', ['/loader.mjs', ...found].join(' '))
    .replace('MAIN', [main, ...args].join(' '))
  disk.addFile('init', Buffer.from(script))
  return disk.build()
}

/** The files that Node reads for a program, and the descriptions of the packages that it finds them by. */
function listSources(main: string): readonly string[] {
  const trace = `
    import { registerHooks } from 'node:module'
    registerHooks({ load(url, context, next) { if (url.startsWith('file:')) console.log(url); return next(url, context) } })
    await import(${JSON.stringify(main)})`
  const options = { encoding: 'utf8', cwd: ROOT } as const
  const said = execFileSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', trace],
    options,
  )
  const files = new Set<string>()
  for (const url of said.trim().split('\n')) {
    const file = fileURLToPath(url)
    files.add(file)
    for (let folder = dirname(file); folder.startsWith(ROOT); folder = dirname(folder)) {
      if (globSync(join(folder, 'package.json')).length > 0) files.add(join(folder, 'package.json'))
    }
  }
  return [...files]
}

/** The newest kernel that apt knows, unpacked and not installed; kept for the next time. */
function provideKernel(): Kernel {
  const depends = execFileSync('apt-cache', ['depends', KERNEL_PACKAGE], { encoding: 'utf8' })
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1]
  if (name === undefined) throw new Error(`apt knows no ${KERNEL_PACKAGE}`)
  const kept = join(tmpdir(), `maki-${name}`)
  if (globSync(join(kept, 'boot/vmlinuz-*')).length === 0) {
    const fresh = mkdtempSync(`${kept}.`)
    try {
      // Whole in its folder before it has its name: others may look for it at the same time.
      execFileSync('apt-get', ['-q', 'download', name], { cwd: fresh, stdio: 'pipe' })
      const [archive] = globSync(join(fresh, '*.deb'))
      mkdirSync(join(fresh, 'unpacked'))
      execFileSync('dpkg-deb', ['-x', archive as string, join(fresh, 'unpacked')])
      rmSync(kept, { recursive: true, force: true })
      renameSync(join(fresh, 'unpacked'), kept)
    } finally {
      rmSync(fresh, { recursive: true, force: true })
    }
  }
  const [image] = globSync(join(kept, 'boot/vmlinuz-*'))
  return { image: image as string, modules: join(kept, 'lib/modules') }
}
