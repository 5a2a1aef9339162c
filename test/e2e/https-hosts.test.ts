import t from 'tap'
import { eventually } from '../support/eventually.ts'
import { FOREIGN_ZONE, HttpsWorld, ZONE } from './support/https-world.ts'
import { writeProject } from './support/project.ts'

/**
 * HTTPS by itself on three servers that `maki machine init` set up: zones delegated to them by parents of the test, a resolver that finds
 * its way from the root, and certificate authorities that resolve by it and are strict.
 */

// The runner of all tests bounds the file's time.
t.setTimeout(0)
// Mostly waits: for servers that boot, for authorities, and for what was asked for to be everywhere.
const world = await HttpsWorld.open()
t.teardown(() => world[Symbol.asyncDispose]())
const { servers, internet } = world
const FOREIGN_HOST = `www.${FOREIGN_ZONE}`

t.test('three servers, a site, and a resolver that finds them by the delegation', async (t) => {
  await world.init()
  await world.point(FOREIGN_HOST, servers)
  const site = writeProject(world.scene.path('site'), {
    domain: ZONE,
    files: { 'index.html': 'hello' },
    more: `aliases = ["www.${ZONE}", "${FOREIGN_HOST}"]`,
  })
  await world.json(['sync'], site)
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
