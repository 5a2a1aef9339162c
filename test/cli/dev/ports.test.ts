import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import t from 'tap'
import { checkPorts } from '../../../cli/dev/check-ports.ts'
import { planNodes } from '../../../cli/dev/layout.ts'
import { findPortHolder, readSocketTable } from '../../../cli/dev/process-info.ts'
import { findFreePorts } from '../../support/free-ports.ts'

/** HTTP at the base, DNS a hundred above. */
const base = await findFreePorts([0, 1, 100, 101, 200, 201, 300, 301])
const nodes = planNodes({ nodes: 2, httpPort: base, dnsPort: base + 100 }, '/data')

t.test('free ports pass, and are free again afterwards', async (t) => {
  await checkPorts(nodes)
  await t.resolves(checkPorts(nodes))
})

t.test('a taken TCP port is named with its use and the process that holds it', async (t) => {
  for (const host of ['127.0.0.1', '0.0.0.0']) {
    const server = createServer().listen({ host, port: base + 1 })
    await once(server, 'listening')
    await t.rejects(checkPorts(nodes), {
      code: 'MAKI_PORT_IN_USE',
      message: new RegExp(`process ${process.pid} \\(.*\\) holds ${base + 1} \\(HTTP of node2, TCP\\)`),
      hint: /--http-port/,
    })
    server.close()
    await once(server, 'close')
  }
})

t.test('a taken UDP port too, though TCP is free there', async (t) => {
  const socket = createSocket('udp4')
  socket.bind({ address: '127.0.0.1', port: base + 100 })
  await once(socket, 'listening')
  await t.rejects(checkPorts(nodes), { message: new RegExp(`${process.pid} .*${base + 100} \\(DNS of node1, UDP\\)`) })
  t.match(await findPortHolder('udp', base + 100), { pid: process.pid })
  t.equal(await findPortHolder('tcp', base + 100), undefined)
  socket.close()
  await once(socket, 'close')
})

t.test('socket tables: the port of the local address only, bound sockets only', async (t) => {
  const row = (local: string, remote: string, state: string, inode: number) =>
    `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  1000        0 ${inode} 1 0000000000000000`
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    row('0100007F:1F90', '00000000:0000', '0A', 11),
    row('0100007F:9C40', '0100007F:1F90', '01', 12),
    row('0100007F:1F90', '0100007F:9C40', '01', 13),
    row('00000000000000000000000000000000:1F90', '00000000000000000000000000000000:0000', '0A', 14),
    row('0100007F:01F9', '00000000:0000', '0A', 15),
    'garbage',
    '',
  ].join('\n')
  t.strictSame(readSocketTable(table, 8080, '0A'), ['11', '14'])
  t.strictSame(readSocketTable(table, 505, '0A'), ['15'])
  t.strictSame(readSocketTable('', 8080, '0A'), [])
})
