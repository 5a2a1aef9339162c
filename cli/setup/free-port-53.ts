import { Resolver } from 'node:dns/promises'
import { readFile } from 'node:fs/promises'
import { MakiError } from '../../core/index.ts'
import { placePath, requireProgram, textFile } from './change-server.ts'
import type { Server, StepOutcome, Work } from './server.ts'
import { readSnapshot } from './snapshot.ts'

const STUB_RESOLV_CONF = /systemd\/resolve\/stub-resolv\.conf$/
/** Of systemd-resolved itself: the name servers that it was given. */
const UPSTREAM_RESOLV_CONF = '/run/systemd/resolve/resolv.conf'
const DROP_IN = `# Written by maki machine init: port 53 is the name server's.\n[Resolve]\nDNSStubListener=no\n`
/** 127.0.0.53 and 127.0.0.54, port 53, as /proc/net has them on a little-endian processor. */
const STUB_SOCKETS = /\b3[56]00007F:0035\b/i

/**
 * Takes port 53 from the stub of systemd-resolved, and has programs of this server ask its upstream name servers instead. What
 * was resolved before still is: else it is put back, and MAKI_CONFLICT thrown.
 */
export async function freePort53(work: Work): Promise<StepOutcome> {
  const { server, journal } = work
  // A run that was cut may have done half of it, and a boot the rest of that half.
  const isBegun = journal.has({ kind: 'resolver' })
  if (!isBegun && !(await hasStub(server))) return { same: 'systemd-resolved does not have it' }
  const resolvConf = server.at('/etc/resolv.conf')
  const wasResolving = await resolves(resolvConf)
  // Undone last: when the files are as they were.
  await journal.record({ kind: 'resolver' })
  let isNew = await placePath(work, server.paths.resolved, textFile(DROP_IN), { owned: true })
  const present = await readSnapshot(resolvConf)
  if (present.is === 'link' && STUB_RESOLV_CONF.test(present.target)) {
    const target = present.target.replace(/stub-resolv\.conf$/, 'resolv.conf')
    isNew = (await placePath(work, resolvConf, { is: 'link', target }, { owned: false })) || isNew
  } else if (present.is === 'file' && /^\s*nameserver\s+127\.0\.0\.5[34]\b/m.test(textOf(present.content))) {
    isNew = (await placePath(work, resolvConf, { is: 'link', target: UPSTREAM_RESOLV_CONF }, { owned: false })) || isNew
  }
  if (!isNew && !(await hasStub(server))) return { same: 'systemd-resolved has left it already' }
  await requireProgram(server, 'systemctl', ['restart', 'systemd-resolved'])
  if (await hasStub(server))
    throw new MakiError('MAKI_CONFLICT', 'systemd-resolved still holds port 53, though it was told to leave it', {
      hint: 'See what says otherwise: systemd-analyze cat-config systemd/resolved.conf',
    })
  if (!wasResolving || (await resolves(resolvConf))) return undefined
  throw new MakiError('MAKI_CONFLICT', 'without the stub of systemd-resolved this server resolves no names any more', {
    hint: `Give it name servers that it can ask by itself (${UPSTREAM_RESOLV_CONF} names those that it knows), then run the command again.`,
  })
}

async function hasStub(server: Server): Promise<boolean> {
  const tables = ['/proc/net/udp', '/proc/net/tcp'].map((path) => readFile(server.at(path), 'utf8').catch(() => ''))
  return (await Promise.all(tables)).some((table) => STUB_SOCKETS.test(table))
}

/** Whether one of its name servers answers, whatever it says. */
async function resolves(resolvConf: string): Promise<boolean> {
  const text = await readFile(resolvConf, 'utf8').catch(() => '')
  const servers = [...text.matchAll(/^\s*nameserver\s+([0-9A-Fa-f.:]+)/gm)].map(([, address]) => String(address))
  if (servers.length === 0) return false
  const resolver = new Resolver({ timeout: 2000, tries: 2 })
  try {
    resolver.setServers(servers.map((address) => (address.includes(':') ? `[${address}]:53` : `${address}:53`)))
    await resolver.resolveNs('.')
    return true
  } catch (error) {
    // An answer all the same.
    return ['ENODATA', 'ENOTFOUND', 'EREFUSED', 'ESERVFAIL', 'ENOTIMP'].includes(
      String((error as NodeJS.ErrnoException).code),
    )
  }
}

const textOf = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8')
