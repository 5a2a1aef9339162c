import t from 'tap'
import { SecuredHosts } from '../../../edge/site/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const LABELS = ['a', 'b', 'www', 'example', 'com']
const APEXES = ['example.com', 'b.example.com', 'a.com']

/** By the words of RFC 9525 section 6.3. */
function covers(name: string, host: string): boolean {
  const labels = host.split('.')
  return name === host || (name.startsWith('*.') && labels.length > 1 && labels.slice(1).join('.') === name.slice(2))
}

for (const seed of seeds(200)) {
  t.test(`seed ${seed}: a host is secured where a name is its own, or a wildcard one label above it`, async (t) => {
    const random = createRandom(seed)
    const host = () => Array.from({ length: 1 + random.integer(4) }, () => random.pick(LABELS)).join('.')
    const names = Array.from({ length: random.integer(8) }, () => (random.chance(0.3) ? `*.${host()}` : host()))
    const secured = new SecuredHosts(names)
    const apex = random.pick(APEXES)
    const hosts = [apex, host(), host()]
    const own = secured.of(apex, hosts)
    for (let i = 0; i < 50; i++) {
      const asked = random.chance(0.5) ? random.pick(hosts) : host()
      t.equal(
        secured.has(asked),
        names.some((name) => covers(name, asked)),
        `${asked} of ${names}`,
      )
    }
    for (const one of [...hosts, `x--preview.${apex}`])
      t.equal(own.has(one), secured.has(one), `${one}, as a site sees it`)
    t.ok(own.equals(secured.of(apex, [...hosts].reverse())), 'the order of hosts says nothing')
  })
}
