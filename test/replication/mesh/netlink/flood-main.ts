/** Sends datagrams to an address and a port until it is killed. */
import { createSocket } from 'node:dgram'
import { setImmediate } from 'node:timers/promises'

const [, , address, port] = process.argv
const socket = createSocket('udp6')
socket.on('error', () => {})
for (;;) {
  for (let i = 0; i < 10; i++) socket.send('flood', Number(port), address)
  await setImmediate()
}
