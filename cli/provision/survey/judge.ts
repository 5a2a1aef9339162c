import { MakiError } from '../../../core/index.ts'
import { formatBytes } from '../../output/text.ts'
import { SERVER_PORTS } from '../../setup/index.ts'
import { judgeFound } from './judge-found.ts'
import type { JudgeInput, Refusal } from './judge-input.ts'
import { listPortRefusals } from './judge-ports.ts'
import type { Survey } from './survey.ts'

export interface Judgement {
  readonly refusals: readonly Refusal[]
  readonly warnings: readonly string[]
}

const MIN_GLIBC = { major: 2, minor: 28 } as const
/** Of `wireguard-go`, as it comes along. */
const TUNNEL_GLIBC = { major: 2, minor: 34 } as const
const MIN_FREE_BYTES = 1_000_000_000
const CLOCK_WARN_MS = 5_000
const CLOCK_REFUSE_MS = 300_000
/** Where the program lies, and where it keeps what it serves. */
const NEEDS_ROOM = ['/opt', '/var']

/** What a server lacks to become a node, all of it at once, and what is worth a look. Pure. */
export function judgeSurvey(input: JudgeInput): Judgement {
  const { survey } = input
  const system = judgeSystem(survey)
  // Of another system nothing else can be told.
  if (system.length > 0) return { refusals: system, warnings: [] }
  const found = judgeFound(input)
  const isOurs = survey.found.kind === 'node'
  const clock = judgeClock(input)
  const tunnel = judgeTunnel(survey)
  const isKept = survey.found.kind === 'node' && survey.found.isBegun && !input.recreate
  return {
    refusals: [
      ...found,
      ...(isOurs || found.length > 0 ? [] : listPortRefusals(survey)),
      ...judgeDisks(survey, isOurs),
      ...(tunnel === undefined || isKept ? [] : [tunnel]),
      ...clock.refusals,
    ],
    warnings: [...clock.warnings, ...(tunnel !== undefined && isKept ? [tunnel.why] : []), ...listWarnings(survey)],
  }
}

/** Throws all refusals as one error; MAKI_UNSUPPORTED. */
export function requireFit({ refusals }: Judgement, target: string): void {
  const [first, ...rest] = refusals
  if (first === undefined) return
  const why = rest.length === 0 ? first.why : `\n${refusals.map((one) => `  - ${one.why}`).join('\n')}`
  const hints = [...new Set(refusals.map(({ hint }) => hint))]
  throw new MakiError('MAKI_UNSUPPORTED', `${target} cannot be set up, and nothing was changed there: ${why}`, {
    hint: hints.join('\n'),
  })
}

function judgeSystem({ system, missingPrograms }: Survey): Refusal[] {
  const { kernel, machine, arch, name, libc, systemd } = system
  const another = 'Take a server with Debian 11, Ubuntu 20.04, Fedora, or a newer one of them.'
  if (kernel !== 'Linux')
    return [{ why: `it runs ${kernel || 'an unknown system'}, and nodes run on Linux`, hint: another }]
  const refusals: Refusal[] = []
  if (arch === undefined) {
    refusals.push({
      why: `its processor is ${machine || 'unknown'}; there are bundles for x86_64 and aarch64`,
      hint: 'Take a server with another processor.',
    })
  }
  if (libc.kind === 'musl')
    refusals.push({ why: `${name} has the C library musl, and the program needs glibc`, hint: another })
  else if (libc.version === undefined || !isAtLeast(libc.version, MIN_GLIBC))
    refusals.push({
      why: `${name} has glibc ${libc.version ?? 'of an unknown version'}; ${MIN_GLIBC.major}.${MIN_GLIBC.minor} or newer is needed`,
      hint: another,
    })
  if (systemd === undefined)
    refusals.push({
      why: `systemd does not run there as process 1 (${name})`,
      hint: `${another} A container without systemd will not do.`,
    })
  if (missingPrograms.length > 0 && refusals.length === 0)
    refusals.push({
      why: `it lacks ${missingPrograms.join(', ')}`,
      hint: 'Install them there: on Debian and Ubuntu they are in tar, gzip, coreutils and passwd.',
    })
  return refusals
}

function isAtLeast(version: string, least: { readonly major: number; readonly minor: number }): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > least.major || (major === least.major && minor >= least.minor)
}

/** Why no tunnel can be had there, through which machines reach each other; a node that is there goes on all the same. */
function judgeTunnel({ hasKernelWireguard, hasTun, system }: Survey): Refusal | undefined {
  if (hasKernelWireguard) return undefined
  if (!hasTun)
    return {
      why: 'it has neither WireGuard in its kernel nor /dev/net/tun, and machines reach each other through WireGuard',
      hint: 'Try there: modprobe tun. A container gets the device from its host; else take a server with a kernel of its own, 5.6 or newer.',
    }
  const { kind, version = '' } = system.libc
  if (kind === 'glibc' && isAtLeast(version, TUNNEL_GLIBC)) return undefined
  return {
    why: `its kernel has no WireGuard, and the program that stands in for it needs glibc ${TUNNEL_GLIBC.major}.${TUNNEL_GLIBC.minor} (${system.name} has ${version})`,
    hint: 'Take a kernel with WireGuard, 5.6 or newer (see that the package of its modules is installed), or a newer system.',
  }
}

function judgeDisks({ disks }: Survey, isOurs: boolean): Refusal[] {
  const refusals: Refusal[] = []
  const readOnly = disks.filter((disk) => disk.isReadOnly).map(({ path }) => path)
  if (readOnly.length > 0)
    refusals.push({
      why: `${readOnly.join(', ')} can only be read`,
      hint: `See why with: mount, dmesg; then: mount -o remount,rw ${readOnly[0]}`,
    })
  if (disks.some(({ path, isNoexec }) => path === '/opt' && isNoexec))
    refusals.push({
      why: 'nothing below /opt may be executed (noexec)',
      hint: 'Allow it: mount -o remount,exec /opt, and in /etc/fstab.',
    })
  for (const { path, freeBytes } of disks) {
    if (isOurs || !NEEDS_ROOM.includes(path) || freeBytes === undefined || freeBytes >= MIN_FREE_BYTES) continue
    refusals.push({
      why: `${path} has ${formatBytes(freeBytes)} free, and 1 GB is needed`,
      hint: 'See what takes the room with: df -h, du -xhd1 /',
    })
  }
  return refusals
}

function judgeClock({ survey, askedMs, answeredMs }: JudgeInput): Judgement {
  const { clockMs } = survey
  if (clockMs === undefined) return { refusals: [], warnings: ['its clock could not be read'] }
  // It was read in between, and cut to whole seconds.
  const aheadMs = clockMs > answeredMs ? clockMs - answeredMs : Math.min(0, clockMs + 1_000 - askedMs)
  const offMs = Math.abs(aheadMs)
  if (offMs <= CLOCK_WARN_MS) return { refusals: [], warnings: [] }
  const seconds = Math.round(offMs / 1000)
  const span = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} minutes`
  const show = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
  const why = `its clock is ${span} ${aheadMs > 0 ? 'ahead of' : 'behind'} the one here (there ${show(clockMs)}, here ${show(answeredMs)})`
  const hint = 'Set the one that is wrong; on the server: timedatectl set-ntp true'
  return offMs > CLOCK_REFUSE_MS
    ? { refusals: [{ why, hint }], warnings: [] }
    : { refusals: [], warnings: [`${why}. ${hint}`] }
}

function listWarnings({ hasIpv6, routes, addresses, firewalls, selinux }: Survey): string[] {
  const warnings: string[] = []
  const hasGlobal6 = addresses.some(
    ({ address, scope }) => scope === 'global' && /^[23]/.test(address) && address.includes(':'),
  )
  if (!hasIpv6 || !hasGlobal6 || !routes.ipv6) warnings.push('it has no IPv6: visitors reach it over IPv4 alone')
  if (firewalls.length > 0) {
    const { dns, http, https, wireguard } = SERVER_PORTS
    warnings.push(
      `a firewall is active there (${firewalls.join(', ')}): let ${dns} (UDP and TCP), ${http}, ${https} and UDP ${wireguard} in from everywhere`,
    )
  }
  if (selinux === 'enforcing') warnings.push('SELinux is enforcing there, which was not tried with this version')
  return warnings
}
