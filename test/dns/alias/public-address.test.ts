import t from 'tap'
import { isPublicAddress } from '../../../dns/index.ts'

/** First and last address of every special network, and the public neighbours of those that have them. */
const SPECIAL = [
  '0.0.0.0 0.255.255.255',
  '10.0.0.0 10.255.255.255',
  '100.64.0.0 100.127.255.255',
  '127.0.0.1 127.255.255.255',
  '169.254.0.0 169.254.169.254',
  '172.16.0.0 172.31.255.255',
  '192.0.0.0 192.0.2.255 192.88.99.1',
  '192.168.0.0 192.168.255.255',
  '198.18.0.0 198.19.255.255 198.51.100.1 203.0.113.255',
  '224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255',
  ':: ::1 ::ffff:8.8.8.8 ::ffff:10.0.0.1 64:ff9b::808:808 100::1',
  'fc00::1 fdff:ffff::1 fe80::1 fec0::1 ff02::1',
  '2001::1 2001:1ff:ffff::1 2001:db8::1 2002:0a00:0001::1 3fff::1 5f00::1 4000::1',
  'fe80::1%eth0 2606:4700::1%1',
].flatMap((line) => line.split(' '))

const PUBLIC = [
  '1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0',
  '172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255',
  '2000::1 2001:200::1 2001:db7:ffff::1 2001:db9::1 2003::1 2606:4700:4700::1111 3ffe:ffff::1 3fff:1000::1',
].flatMap((line) => line.split(' '))

t.test('addresses that no visitor can be sent to', async (t) => {
  for (const address of SPECIAL) t.notOk(isPublicAddress(address), address)
  for (const address of ['', '1.2.3', '1.2.3.4.5', 'example.com', '01.2.3.4', '8.8.8.8 ', '[2606::1]'])
    t.notOk(isPublicAddress(address), JSON.stringify(address))
})

t.test('addresses of the internet', async (t) => {
  for (const address of PUBLIC) t.ok(isPublicAddress(address), address)
})
