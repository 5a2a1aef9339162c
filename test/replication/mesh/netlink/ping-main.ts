/** Sends ICMPv6 echo requests (RFC 4443 section 4.1) to an address, three of them; ends with 0 where an answer comes within a second. */
import { dlopen } from 'node:ffi'
import { ipBytes } from '../../../../replication/mesh/netlink/index.ts'

const AF_INET6 = 10
const SOCK_RAW = 3
const IPPROTO_ICMPV6 = 58
const POLLIN = 1
const ECHO_REQUEST = 128
const ECHO_REPLY = 129

const { functions } = dlopen('libc.so.6', {
  socket: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
  sendto: { arguments: ['int32', 'buffer', 'uint64', 'int32', 'buffer', 'uint32'], return: 'int64' },
  recv: { arguments: ['int32', 'buffer', 'uint64', 'int32'], return: 'int64' },
  poll: { arguments: ['buffer', 'uint64', 'int32'], return: 'int32' },
})
const fd = functions.socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)
const to = Buffer.alloc(28)
to.writeUInt16LE(AF_INET6, 0)
ipBytes(process.argv[2] ?? '').copy(to, 8)
// The checksum is the kernel's work.
const request = Buffer.of(ECHO_REQUEST, 0, 0, 0, 0x77, 0x88, 0, 1)
const ready = Buffer.alloc(8)
ready.writeInt32LE(fd, 0)
ready.writeInt16LE(POLLIN, 4)
const answer = Buffer.alloc(1500)
for (let tries = 0; tries < 3; tries++) {
  if (fd < 0 || functions.sendto(fd, request, 8n, 0, to, to.length) !== 8n) process.exit(2)
  while (functions.poll(ready, 1n, 1_000) === 1) {
    const length = functions.recv(fd, answer, 1500n, 0)
    if (length >= 8n && answer[0] === ECHO_REPLY && answer.readUInt16BE(4) === 0x7788) process.exit(0)
  }
}
process.exit(1)
