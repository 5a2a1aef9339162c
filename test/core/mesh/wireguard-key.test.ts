import { execFileSync } from 'node:child_process'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { formatWireGuardKey, isWireGuardKey, wireGuardKeyBytes } from '../../../core/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

/** RFC 4648 section 4. */
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

for (const seed of seeds(20)) {
  t.test(`a key is read as it is written, and only so (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    for (let i = 0; i < 100; i++) {
      const bytes = Uint8Array.from({ length: 32 }, () => random.integer(256))
      const key = formatWireGuardKey(bytes)
      if (!isWireGuardKey(key) || key.length !== 44) t.fail(key)
      if (Buffer.compare(wireGuardKeyBytes(key), bytes) !== 0) t.fail(`${key} has other bytes`)
      const at = random.integer(44)
      const others = [
        key.slice(0, at) + key.slice(at + 1),
        `${key.slice(0, at)}A${key.slice(at)}`,
        `${key} `,
        `\n${key}`,
        key.replace(/=$/, ''),
        `${key.slice(0, at)}-${key.slice(at + 1)}`,
        // The last digit before the padding holds two bits that stand for nothing.
        key.replace(/(.)=$/, (_, last: string) => `${DIGITS[DIGITS.indexOf(last) + 1]}=`),
      ]
      for (const other of others) if (isWireGuardKey(other)) t.fail(`${JSON.stringify(other)} is taken for a key`)
    }
    t.pass('all of them')
  })
}

t.test('keys that are no text of a key', async (t) => {
  for (const text of ['', '=', 'A'.repeat(44), `${'A'.repeat(42)}==`, 'none', '0'.repeat(64)])
    t.notOk(isWireGuardKey(text), JSON.stringify(text))
})

t.test('what wg makes of a private key is what we make of it', async (t) => {
  const { privateKey } = generateKeyPairSync('x25519')
  const raw = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32)
  const point = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32)
  const wg = execFileSync('wg', ['pubkey'], { input: raw.toString('base64'), encoding: 'utf8' }).trim()
  t.equal(formatWireGuardKey(point), wg)
  t.ok(isWireGuardKey(wg))
})
