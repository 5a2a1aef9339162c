import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { ensureWireGuardKey, readWireGuardKey } from '../../../cli/node/index.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { wireGuardPublicKey } from '../../../replication/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const root = mkdtempSync(join(tmpdir(), 'maki-wireguard-key-'))
t.teardown(() => rmSync(root, { recursive: true }))
const fileIn = (folder: string) => join(folder, 'keys', 'wireguard.key')

t.test('the public half is that of RFC 7748 section 6.1', async (t) => {
  const alice = Buffer.from('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a', 'hex')
  const text = Buffer.from(wireGuardPublicKey(alice), 'base64').toString('hex')
  t.equal(text, '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a')
})

t.test('a key is made once, is its owner alone’s, and is the one that wg reads', async (t) => {
  const folder = join(root, 'made')
  await t.rejects(readWireGuardKey(folder), { code: 'MAKI_NOT_FOUND', hint: /makiatto keygen/ })
  const made = await ensureWireGuardKey(folder, systemRuntime)
  t.strictSame(await readWireGuardKey(folder), made)
  t.strictSame(await ensureWireGuardKey(folder, systemRuntime), made)
  t.equal(statSync(fileIn(folder)).mode & 0o777, 0o600)
  t.equal(statSync(join(folder, 'keys')).mode & 0o777, 0o700)
  t.strictSame(readdirSync(join(folder, 'keys')), ['wireguard.key'])
  const theirs = spawnSync('wg', ['pubkey'], { input: readFileSync(fileIn(folder)), encoding: 'utf8' })
  t.equal(theirs.stdout, `${made.publicKey}\n`)
})

t.test('of many that make it at once all get the same', async (t) => {
  const folder = join(root, 'raced')
  const all = await Promise.all(Array.from({ length: 16 }, () => ensureWireGuardKey(folder, systemRuntime)))
  for (const one of all) t.strictSame(one, all[0])
  t.strictSame(readdirSync(join(folder, 'keys')), ['wireguard.key'])
})

t.test('what wg genkey wrote is taken', async (t) => {
  const folder = join(root, 'given')
  mkdirSync(join(folder, 'keys'), { recursive: true })
  const { stdout } = spawnSync('wg', ['genkey'], { encoding: 'utf8' })
  writeFileSync(fileIn(folder), stdout, { mode: 0o600 })
  const { privateKey } = await readWireGuardKey(folder)
  t.equal(`${Buffer.from(privateKey).toString('base64')}\n`, stdout)
})

t.test('a file that others may read is not used', async (t) => {
  const folder = join(root, 'open')
  await ensureWireGuardKey(folder, systemRuntime)
  chmodSync(fileIn(folder), 0o640)
  const refused = { code: 'MAKI_USAGE', message: /mode 640/, hint: /^chmod 600 / }
  await t.rejects(readWireGuardKey(folder), refused)
  await t.rejects(ensureWireGuardKey(folder, systemRuntime), refused)
})

for (const seed of seeds(40)) {
  t.test(`seed ${seed}: a damaged file is refused, is left as it is, and is not quoted`, async (t) => {
    const random = createRandom(seed)
    const folder = join(root, `damaged-${seed}`)
    const { privateKey } = await ensureWireGuardKey(folder, systemRuntime)
    const secret = Buffer.from(privateKey).toString('base64')
    const at = random.integer(43)
    const damaged = random.pick([
      secret.slice(0, at),
      `${secret.slice(0, at)}*${secret.slice(at + 1)}\n`,
      `${secret}\n${secret}\n`,
      `${secret}=\n`,
      Buffer.from(random.bytes(32)).toString('hex'),
      `# ${secret}\n`,
    ])
    writeFileSync(fileIn(folder), damaged)
    for (const read of [() => readWireGuardKey(folder), () => ensureWireGuardKey(folder, systemRuntime)]) {
      const error = await read().catch((thrown: unknown) => thrown as Error)
      t.match(error, { code: 'MAKI_USAGE', message: /is not a private key of WireGuard/ })
      t.notMatch(JSON.stringify({ ...error, message: (error as Error).message }), secret.slice(0, 8))
    }
    t.equal(readFileSync(fileIn(folder), 'latin1'), damaged)
  })
}
