import * as crypto from 'node:crypto'
import t from 'tap'
import { createSigner, idBytes, type MemberKey, memberKeyFrom, verifySignature } from '../../../core/index.ts'
import {
  exportPublicKey,
  type HpkeContext,
  importPrivateKey,
  openHpke,
  sealHpke,
} from '../../../replication/seals/hpke.ts'
import { memberOpenKey, memberSealKey } from '../../../replication/seals/member-opener.ts'
import { MAX_SEALED_BYTES, pad, unpad } from '../../../replication/seals/padding.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** RFC 9180 appendix A.2.1, sequence number 0. */
const VECTOR = {
  info: hex('4f6465206f6e2061204772656369616e2055726e'),
  ephemeral: hex('f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600'),
  encapsulated: '1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a',
  publicKey: hex('4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a'),
  privateKey: hex('8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb'),
  plaintext: hex('4265617574792069732074727574682c20747275746820626561757479'),
  aad: hex('436f756e742d30'),
  ciphertext: '1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28',
}
const context: HpkeContext = { info: VECTOR.info, aad: VECTOR.aad }

t.test('the vector of RFC 9180, appendix A.2.1', async (t) => {
  t.equal(toHex(exportPublicKey(importPrivateKey(VECTOR.privateKey))), toHex(VECTOR.publicKey))
  const sealed = sealHpke(VECTOR.publicKey, VECTOR.plaintext, context, VECTOR.ephemeral)
  t.equal(toHex(sealed), VECTOR.encapsulated + VECTOR.ciphertext)
  t.equal(toHex(openHpke(importPrivateKey(VECTOR.privateKey), sealed, context)), toHex(VECTOR.plaintext))
})

t.test('the DHKEM of OpenSSL agrees', async (t) => {
  const privateKey = importPrivateKey(VECTOR.privateKey)
  const shared = crypto.decapsulate(privateKey, Buffer.from(VECTOR.encapsulated, 'hex'))
  t.equal(toHex(new Uint8Array(shared)), '0bbe78490412b4bbea4812666f7916932b828bba79942424abb65244930d69a7')
})

for (const seed of seeds(20)) {
  t.test(`what is changed in any way does not open, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const privateKey = importPrivateKey(random.bytes(32))
    const plaintext = random.bytes(random.integer(300))
    const sealed = sealHpke(exportPublicKey(privateKey), plaintext, context, random.bytes(32))
    t.same(openHpke(privateKey, sealed, context), plaintext)
    const flipped = sealed.slice()
    const at = random.integer(sealed.length)
    // The top bit of an X25519 key is not used, and the KEM binds it all the same.
    flipped[at] = (flipped[at] as number) ^ (1 << random.integer(8))
    t.throws(() => openHpke(privateKey, flipped, context), `bit in byte ${at}`)
    t.throws(() => openHpke(privateKey, sealed.subarray(0, random.integer(sealed.length)), context))
    t.throws(() => openHpke(importPrivateKey(random.bytes(32)), sealed, context))
    t.throws(() => openHpke(privateKey, sealed, { ...context, aad: random.bytes(3) }))
    t.throws(() => openHpke(privateKey, sealed, { ...context, info: random.bytes(3) }))
  })

  t.test(`a member's key opens what was sealed to its public half, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const secret = random.bytes(32)
    const { key } = createSigner(secret)
    t.equal(toHex(exportPublicKey(memberOpenKey(secret))), toHex(memberSealKey(key)))
  })

  t.test(`padding comes off and says little, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const value = random.bytes(random.integer(random.pick([10, 252, 3000, MAX_SEALED_BYTES])))
    const padded = pad(value)
    t.same(unpad(padded), value)
    t.ok(value.length > 252 || padded.length === 256)
    t.ok(padded.length <= Math.max(256, (value.length + 4) * 1.12))
    const cut = padded.slice(0, random.integer(Math.min(padded.length, value.length + 4)))
    t.throws(() => unpad(cut), { code: 'MAKI_INVALID' })
  })
}

/** Points of small order of Ed25519 (RFC 8032), y in hexadecimal: of order 1, 2, 4 and 8, and other spellings of them. */
const SMALL_ORDER = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]
/** Points of small order of Curve25519 and its twist, u in hexadecimal. */
const WEAK = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]

/** The same with the top bit, which the two curves use for other things. */
const withTopBit = (text: string): readonly Uint8Array[] =>
  [0, 0x80].map((bit) => hex(text).with(31, (hex(text)[31] as number) | bit))

t.test('nothing is sealed to a member whose key has small order, however it is written', async (t) => {
  for (const key of SMALL_ORDER.flatMap(withTopBit)) {
    const seal = () => sealHpke(memberSealKey(memberKeyFrom(key)), VECTOR.plaintext, context, VECTOR.ephemeral)
    t.throws(seal, toHex(key))
  }
})

t.test('one signature is not valid for every message under a key of small order', async (t) => {
  // R = the neutral point, S = 0: true for all messages where the product of key and hash is the neutral point too.
  const signature = new Uint8Array(64).with(0, 1)
  for (const key of SMALL_ORDER.flatMap(withTopBit))
    for (let i = 0; i < 16; i++)
      t.notOk(verifySignature(memberKeyFrom(key), Uint8Array.of(i), signature), `${toHex(key)} ${i}`)
})

t.test('a shared secret of zeros is refused on both sides (RFC 9180, section 7.1.4)', async (t) => {
  const own = importPrivateKey(VECTOR.privateKey)
  for (const key of WEAK.flatMap(withTopBit)) {
    t.throws(() => sealHpke(key, VECTOR.plaintext, context, VECTOR.ephemeral), /derivation/, toHex(key))
    t.throws(() => openHpke(own, Buffer.concat([key, new Uint8Array(50)]), context), /derivation/, toHex(key))
  }
})

t.test('a member key with a point of small order added to it opens nothing, and is nobody else’s', async (t) => {
  const secret = new Uint8Array(32).fill(7)
  const { key } = createSigner(secret)
  // The point of order 2 added: (x, y) becomes (-x, -y).
  const p = 2n ** 255n - 19n
  const bytes = Buffer.from(idBytes(key))
  const y = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`) & (2n ** 255n - 1n)
  const sign = ((bytes[31] as number) & 0x80) ^ 0x80
  const twisted = new Uint8Array(Buffer.from((p - y).toString(16).padStart(64, '0'), 'hex').reverse())
  twisted[31] = (twisted[31] as number) | sign
  const sealed = sealHpke(memberSealKey(memberKeyFrom(twisted)), VECTOR.plaintext, context, VECTOR.ephemeral)
  t.throws(() => openHpke(memberOpenKey(secret), sealed, context), 'the key that it was sealed to is bound into it')
})

t.test('keys that nobody has are refused', async (t) => {
  t.throws(() => sealHpke(new Uint8Array(32), VECTOR.plaintext, context, VECTOR.ephemeral))
  const one = new Uint8Array(32)
  one[0] = 1
  t.throws(() => memberSealKey(memberKeyFrom(one) as MemberKey), { code: 'MAKI_INVALID' })
  t.throws(() => pad(new Uint8Array(MAX_SEALED_BYTES + 1)), { code: 'MAKI_TOO_LARGE' })
})
