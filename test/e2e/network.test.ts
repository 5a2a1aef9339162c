import t from 'tap'
import { Child } from '../support/child.ts'
import { TestNetwork } from './support/network.ts'

/** True when an echo request from one host comes back from the other. */
async function reaches(network: TestNetwork, from: string, address: string): Promise<boolean> {
  const [program, ...args] = [...network.host(from).wrapper, process.execPath, '-e', PING, address]
  await using child = new Child(program as string, args)
  return (await child.ended).code === 0
}

/** Asks an echo port that does not listen: a host that is reached refuses. */
const PING = `
const socket = require('node:net').connect({ host: process.argv[1], port: 9, timeout: 400 })
socket.on('error', (error) => process.exit(error.code === 'ECONNREFUSED' ? 0 : 1))
socket.on('timeout', () => process.exit(1))
`

t.test('hosts reach each other, and a cut holds in one direction until it heals', async (t) => {
  await using network = await TestNetwork.open(['a', 'b', 'c'])
  const [a, b] = [network.host('a'), network.host('b')]
  t.ok(await reaches(network, 'a', b.ipv4), 'IPv4')
  t.ok(await reaches(network, 'a', b.ipv6), 'IPv6')
  t.ok(await reaches(network, 'a', '127.0.0.1'), 'itself')
  await network.isolate('a', ['b'])
  t.notOk(await reaches(network, 'a', b.ipv4), 'cut')
  t.ok(await reaches(network, 'c', b.ipv4), 'others are not')
  await network.heal('a', 'b')
  t.notOk(await reaches(network, 'a', b.ipv4), 'what goes out does not come back')
  await network.healAll()
  t.ok(await reaches(network, 'b', a.ipv4))
})
