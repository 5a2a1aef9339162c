import type { X509Certificate } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { OwnerName } from '../../core/index.ts'
import type { AskedChallenge } from '../../edge/acme/index.ts'
import { eventually } from '../support/eventually.ts'
import type { BootedHost } from './support/booted-hosts.ts'
import { FOREIGN_ZONE, HttpsWorld, ZONE } from './support/https-world.ts'
import { writeProject } from './support/project.ts'
import { askHttp } from './support/servers.ts'
import { TlsVisitor } from './support/tls-visitor.ts'

/**
 * HTTPS on three servers that `maki machine init` set up: zones delegated to them by parents of the test, a resolver that finds
 * its way from the root, and a certificate authority that resolves by it and is strict.
 */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
// Mostly waits: for servers that boot, and for what was asked for to be everywhere.
const world = await HttpsWorld.open()
t.teardown(() => world[Symbol.asyncDispose]())
const { servers, internet } = world
const [, newyork] = servers
const FOREIGN_HOST = `www.${FOREIGN_ZONE}`
const authority = await world.addAuthority(0)
const visitor = new TlsVisitor(internet, world.scene.folder, 'visitor', await authority.manage('/roots/0'))

/** Resolves when each of the servers shows a certificate for the host that holds; gives them. */
async function certified(host: string, at: readonly BootedHost[] = servers): Promise<X509Certificate[]> {
  const shown: X509Certificate[] = []
  for (const server of at)
    shown.push(
      await eventually(`a certificate for ${host} at ${server.name}`, () => visitor.handshake(server, host), {
        tries: 600,
      }),
    )
  return shown
}

/** The site, with files beside those that it always has. */
async function publish(more: Readonly<Record<string, string>> = {}): Promise<void> {
  const site = writeProject(world.scene.path('site'), {
    domain: ZONE,
    files: { 'index.html': 'hello', ...more },
    more: `aliases = ["www.${ZONE}", "${FOREIGN_HOST}"]`,
  })
  await world.json(['sync'], site)
}

/** Every name of the site has a certificate at each server, and visitors are served with it. */
async function everywhere(t: Test): Promise<void> {
  for (const host of [ZONE, `www.${ZONE}`, FOREIGN_HOST, ...servers.map(({ name }) => `${name}.ns.${ZONE}`)]) {
    const shown = await certified(host)
    t.equal(new Set(shown.map(({ serialNumber }) => serialNumber)).size, 1, `${host}: one for all`)
  }
  const [release] = await world.json<{ preview: string }[]>(['release', 'list', ZONE])
  const preview = new URL(String(release?.preview)).hostname
  for (const server of servers)
    for (const host of [ZONE, `www.${ZONE}`, FOREIGN_HOST, preview])
      t.equal(await visitor.get(server, host), 'hello 2 200', `${host} at ${server.name}`)
}

t.test('three servers, and a resolver that finds them by the delegation', async (t) => {
  await world.init()
  await world.point(FOREIGN_HOST, servers)
  await publish()
  await world.history.agreement(servers)
  for (const { name, ipv4, ipv6 } of servers) {
    const host = `${name}.ns.${ZONE}`
    await eventually(`${host} by the resolver`, async () => {
      const found = await internet.resolve(host, 'A')
      if (found.join() === ipv4) return true
      throw new Error(found.join())
    })
    t.strictSame(await internet.resolve(host, 'AAAA'), [ipv6])
  }
  t.equal((await internet.resolve(`www.${ZONE}`, 'A')).length, 1)
  t.strictSame(await internet.resolve(FOREIGN_HOST, 'A'), servers.map(({ ipv4 }) => ipv4).sort())
})

t.test('an authority that is shown by hand what it asks for, and what it certifies is served by all', async (t) => {
  const folder = world.scene.path('by-hand')
  mkdirSync(folder)
  const wanted = [`dns-01:${ZONE}`, `dns-01:*.${ZONE}`, `dns-01:*.ns.${ZONE}`, `http-01:${FOREIGN_HOST}`]
  await using order = world.internetProgram('order-main.ts', [
    authority.pebble.directory,
    authority.ca,
    folder,
    ...wanted,
  ])
  const asked = JSON.parse(await order.waitForLine((line) => line.startsWith('['))) as AskedChallenge[]
  t.strictSame(new Set(asked.map(({ host }) => host)), new Set([ZONE, `ns.${ZONE}`, FOREIGN_HOST]))
  for (const host of [ZONE, `ns.${ZONE}`]) {
    const name = `_acme-challenge.${host}`.replace(`.${ZONE}`, '') as OwnerName
    const values = asked.filter((one) => one.host === host).map(({ digest }) => `"${digest}"`)
    await world.history.write(newyork, { kind: 'record.set', domain: ZONE, name, type: 'TXT', ttl: 1, values })
  }
  const shown = asked.filter(({ type }) => type === 'http-01')
  const files = shown.map(({ token, authorization }) => [`.well-known/acme-challenge/${token}`, authorization] as const)
  await publish(Object.fromEntries(files))
  for (const server of servers)
    for (const { token, authorization } of shown)
      await eventually(`the answer to HTTP-01 at ${server.name}`, async () => {
        const answer = await askHttp(world.hosts, server.ipv4, FOREIGN_HOST, `/.well-known/acme-challenge/${token}`)
        return answer === `${authorization} 200` ? true : undefined
      })
  writeFileSync(join(folder, 'shown'), '')
  await order.waitForLine((line) => line === 'done')
  await world.json(['cert', 'import', join(folder, 'chain.pem'), '--private-key', join(folder, 'key.pem')])
  await everywhere(t)
})
