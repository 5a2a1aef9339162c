import t from 'tap'
import { aliasAddressesOf, GONE_AFTER_MS, settleAlias, unresolvedAlias } from '../../../dns/alias/index.ts'
import { type AliasEntry, type AliasOutcome, isPublicAddress } from '../../../dns/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { bothFamilies, found, randomOutcome } from './outcomes.ts'

const START_MS = 1_800_000_000_000
const all = ({ ipv4, ipv6 }: Pick<AliasEntry, 'ipv4' | 'ipv6'>) => [...ipv4, ...ipv6]
const hasPublic = ({ ipv4, ipv6 }: AliasOutcome) =>
  [ipv4, ipv6].some((family) => family.kind === 'addresses' && family.addresses.some(isPublicAddress))
const hasFailed = ({ ipv4, ipv6 }: AliasOutcome) => [ipv4, ipv6].some(({ kind }) => kind === 'failed')

for (const seed of seeds(100)) {
  t.test(`whatever resolvers say, what is kept can be answered (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    let entry = unresolvedAlias('target.example.net')
    let nowMs = START_MS
    for (let step = 0; step < 60; step++) {
      const outcome = randomOutcome(random)
      const before = entry
      const settled = settleAlias(before, outcome, nowMs, random.next())
      entry = settled.entry
      const addresses = aliasAddressesOf(entry)
      const faults = [
        !all(entry).every(isPublicAddress) && 'an address is not public',
        (entry.ipv4.length > 16 || entry.ipv6.length > 16) && 'there are too many addresses',
        [entry.ipv4, entry.ipv6].some((list) => list.join() !== [...new Set(list)].sort().join()) && 'not sorted',
        !(entry.ttl >= 30 && entry.ttl <= 3600) && `the TTL is ${entry.ttl}`,
        !(settled.delayMs >= 22_500 && settled.delayMs <= 3_600_000) && `the next look is in ${settled.delayMs} ms`,
        entry.failing !== null && settled.delayMs > 660_000 && 'a failing one waits too long',
        (entry.failing === null) !== (hasPublic(outcome) && !hasFailed(outcome)) && 'failing is said wrongly',
        hasFailed(outcome) && !hasPublic(outcome) && all(entry).join() !== all(before).join() && 'a failure changed it',
        all(before).length > 0 &&
          all(entry).length === 0 &&
          !(entry.noneSinceMs !== null && nowMs - entry.noneSinceMs >= GONE_AFTER_MS) &&
          'it was emptied too early',
        (addresses === undefined) !== (entry.resolvedMs === null) && 'it is answered though nothing was heard',
        addresses !== undefined && entry.failing !== null && addresses.ttl !== 30 && 'what is kept has a long TTL',
      ].filter((fault) => fault !== false)
      if (faults.length > 0) t.fail(`${faults.join('; ')} in step ${step}`, { before, outcome, entry })
      nowMs += settled.delayMs
    }
    t.pass('all steps')
  })
}

t.test('a resolver that fails for ever leaves what was resolved last', async (t) => {
  let { entry, delayMs } = settleAlias(unresolvedAlias('a.net'), found('1.1.1.1'), START_MS, 0)
  t.equal(entry.failing, null)
  let nowMs = START_MS
  const waits: number[] = []
  for (let day = 0; day < 300; day++) {
    nowMs += delayMs
    ;({ entry, delayMs } = settleAlias(entry, bothFamilies({ kind: 'failed', reason: 'SERVFAIL' }), nowMs, 0))
    waits.push(delayMs / 1000)
  }
  t.strictSame(entry.ipv4, ['1.1.1.1'])
  t.equal(entry.resolvedMs, START_MS)
  t.equal(entry.failing?.attempts, 300)
  t.strictSame(waits.slice(0, 7), [30, 60, 120, 240, 480, 600, 600])
})

t.test('a target that is gone is kept for an hour', async (t) => {
  const none = bothFamilies({ kind: 'none' })
  const { entry: good } = settleAlias(unresolvedAlias('a.net'), found('1.1.1.1'), START_MS, 0)
  const { entry: first } = settleAlias(good, none, START_MS + 1, 0)
  t.strictSame(first.ipv4, ['1.1.1.1'])
  const failed = bothFamilies({ kind: 'failed', reason: 'SERVFAIL' })
  const { entry: between } = settleAlias(first, failed, START_MS + 2, 0)
  const { entry: late } = settleAlias(between, none, START_MS + GONE_AFTER_MS, 0)
  t.strictSame(late.ipv4, ['1.1.1.1'], 'a moment before the hour is over')
  const { entry: gone } = settleAlias(late, none, START_MS + 1 + GONE_AFTER_MS, 0)
  t.strictSame(aliasAddressesOf(gone), { target: 'a.net', ipv4: [], ipv6: [], ttl: 30 })
  const { entry: back } = settleAlias(gone, found('2.2.2.2'), START_MS + 2 * GONE_AFTER_MS, 0)
  t.strictSame(back.ipv4, ['2.2.2.2'])
  t.equal(back.failing, null)
})

t.test('a target that never had an address is answered with none; one that never answered is not', async (t) => {
  const fresh = unresolvedAlias('a.net')
  t.equal(aliasAddressesOf(fresh), undefined)
  const failed = settleAlias(fresh, bothFamilies({ kind: 'failed', reason: 'SERVFAIL' }), START_MS, 0)
  t.equal(aliasAddressesOf(failed.entry), undefined)
  const none = settleAlias(fresh, bothFamilies({ kind: 'none' }), START_MS, 0)
  t.strictSame(aliasAddressesOf(none.entry)?.ipv4, [])
  t.equal(none.entry.failing?.reason, 'it has no address')
})

t.test('a target that turns to private addresses is told of, and not followed', async (t) => {
  const { entry: good } = settleAlias(unresolvedAlias('a.net'), found('1.1.1.1'), START_MS, 0)
  const { entry } = settleAlias(good, found('10.0.0.1'), START_MS + 1, 0)
  t.strictSame(entry.ipv4, ['1.1.1.1'])
  t.strictSame(entry.refused, ['10.0.0.1'])
  t.equal(entry.failing?.reason, 'it has no public address')
})

t.test('one family goes on where the other fails', async (t) => {
  const both = { kind: 'addresses', addresses: ['1.1.1.1', '2606:4700::1'], ttl: 60 } as const
  const before = settleAlias(unresolvedAlias('a.net'), { ipv4: both, ipv6: both }, START_MS, 0).entry
  const half: AliasOutcome = {
    ipv4: { kind: 'addresses', addresses: ['2.2.2.2'], ttl: 60 },
    ipv6: { kind: 'failed', reason: 'SERVFAIL' },
  }
  const { entry } = settleAlias(before, half, START_MS + 1, 0)
  t.strictSame(entry.ipv4, ['2.2.2.2'])
  t.strictSame(entry.ipv6, before.ipv6)
  t.equal(entry.failing?.reason, 'SERVFAIL')
})
