import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
// The parts of cli/ssh, which has one door for others.
import {
  formatFingerprint,
  formatHostKey,
  type HostKey,
  judgeHostKey,
  orderHostKeyAlgorithms,
  parseHostKey,
} from '../../../cli/ssh/host-key.ts'
import { findKnownKeys, parseKnownHosts } from '../../../cli/ssh/known-hosts.ts'
import { createRandom, type Random, seeds } from '../../support/seeds.ts'
import { makeKey } from '../../support/sshd.ts'

const folder = t.testdir()
const keys = ['ed25519', 'ecdsa', 'rsa'].map((type) => {
  const file = join(folder, type)
  return { file, key: parseHostKey(makeKey(file, { type })) }
})
const [first, second] = keys.map(({ key }) => key) as [HostKey, HostKey]

t.test('fingerprints are those of ssh-keygen', async (t) => {
  for (const { file, key } of keys) {
    const line = execFileSync('ssh-keygen', ['-lf', `${file}.pub`], { encoding: 'utf8' })
    t.equal(formatFingerprint(key), line.split(' ')[1])
    t.equal(formatHostKey(key), readFileSync(`${file}.pub`, 'utf8').trim())
  }
})

t.test('what is no key is refused', async (t) => {
  const [type, base64] = formatHostKey(first).split(' ') as [string, string]
  for (const text of [
    '',
    type,
    `${type} x`,
    `ssh-rsa ${base64}`,
    `${type} ${base64} more`,
    `${type} ${base64.slice(0, 8)}`,
  ])
    t.throws(() => parseHostKey(text), { code: 'MAKI_CONFIG' }, text)
})

t.test('of names, ports, patterns, hashes and marks', async (t) => {
  const line = formatHostKey(first)
  const find = (text: string, name: string, port = 22) => findKnownKeys(parseKnownHosts(text), name, port)
  t.equal(find(`host ${line}`, 'HOST').keys.length, 1)
  t.equal(find(`host,203.0.113.7 ${line}`, '203.0.113.7').keys.length, 1)
  t.equal(find(`host ${line}`, 'host', 2222).keys.length, 0, 'another port is another server')
  t.equal(find(`[host]:2222 ${line}`, 'host', 2222).keys.length, 1)
  t.equal(find(`*.test,!bad.test ${line}`, 'good.test').keys.length, 1)
  t.equal(find(`*.test,!bad.test ${line}`, 'bad.test').keys.length, 0)
  t.equal(find(`@cert-authority * ${line}`, 'host').keys.length, 0)
  t.strictSame(find(`@revoked * ${line}`, 'host'), { keys: [], revoked: [first] })
  t.equal(find(`# host ${line}\n\nhost\nhost ssh-ed25519\nhost ssh-rsa AAAA`, 'host').keys.length, 0)
})

t.test('a key that is known decides', async (t) => {
  const known = { keys: [first], revoked: [], where: 'known_hosts' }
  t.equal(judgeHostKey(first, undefined, known).kind, 'trusted')
  t.equal(judgeHostKey(second, undefined, known).kind, 'other', 'also one of another type')
  t.equal(judgeHostKey(second, second, known).kind, 'trusted', 'the pinned one counts')
  t.equal(judgeHostKey(first, second, known).kind, 'other')
  t.equal(judgeHostKey(first, undefined, { ...known, keys: [] }).kind, 'unknown')
  t.equal(judgeHostKey(first, first, { ...known, revoked: [first] }).kind, 'revoked', 'whatever is pinned')
  t.strictSame(orderHostKeyAlgorithms([keys[2]!.key]).slice(0, 2), ['rsa-sha2-512', 'rsa-sha2-256'])
  t.equal(orderHostKeyAlgorithms([]).includes('ssh-rsa'), false, 'nothing with SHA-1')
})

/** A name, and a pattern of it or of another. */
function inventLine(random: Random, names: readonly string[]): string {
  const name = random.pick(names)
  const port = random.chance(0.3) ? 2222 : 22
  const place = port === 22 ? name : `[${name}]:${port}`
  const pattern = random.pick([place, place, `${place},other.test`, name.replace(/^./, '?'), '*.test', `!${place},*`])
  return `${pattern} ${formatHostKey(random.pick(keys).key)}`
}

for (const seed of seeds(8)) {
  t.test(`the same keys are found as by ssh-keygen -F, hashed or not (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const names = ['a.test', 'b.test', 'c.example', '203.0.113.7', '2001:db8::7']
    const lines = Array.from({ length: 6 }, () => inventLine(random, names))
    const file = join(folder, `known-${seed}`)
    writeFileSync(file, `${lines.join('\n')}\n`)
    if (random.chance(0.5)) {
      execFileSync('ssh-keygen', ['-H', '-f', file], { stdio: 'ignore' })
      rmSync(`${file}.old`)
    }
    const hosts = parseKnownHosts(readFileSync(file, 'utf8'))
    for (const name of names)
      for (const port of [22, 2222]) {
        const place = port === 22 ? name : `[${name}]:${port}`
        const theirs = findByKeygen(place, file)
        const ours = findKnownKeys(hosts, name, port).keys.map((key) => formatHostKey(key))
        t.strictSame(ours.sort(), theirs.sort(), `${place} in\n${lines.join('\n')}`)
      }
  })
}

function findByKeygen(place: string, file: string): string[] {
  try {
    const found = execFileSync('ssh-keygen', ['-F', place, '-f', file], { encoding: 'utf8', stdio: 'pipe' })
    const lines = found.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    return lines.map((line) => line.split(' ').slice(1, 3).join(' '))
  } catch {
    return []
  }
}
