import t from 'tap'
import { hashBlob } from '../../../core/index.ts'
import { PeerRanking } from '../../../replication/transfer/peer-ranking.ts'
import { findExhausted, planTransfer } from '../../../replication/transfer/transfer-plan.ts'
import { type Job, WantTable } from '../../../replication/transfer/want-table.ts'
import { peerKey } from '../blob-support.ts'

const near = { key: peerKey('near'), url: 'http://near' }
const far = { key: peerKey('far'), url: 'http://far' }
const MEBIBYTE = 1024 * 1024

/** A table in which these sizes are wanted; undefined for one that nobody knows. */
function tableOf(...sizes: (number | undefined)[]): WantTable {
  const table = new WantTable()
  const job = { remaining: new Map(), lacking: new Set(), options: {} } as unknown as Job
  const blobs = sizes.map((size, i) => ({
    hash: hashBlob(Buffer.from(`${i}`)),
    ...(size === undefined ? {} : { sizeBytes: size }),
  }))
  for (const want of table.add(job, blobs)) table.move(want, 'queued')
  return table
}

t.test('the nearest is asked first, for small blobs together and for each other one alone', async (t) => {
  const ranking = new PeerRanking()
  const pack = planTransfer(tableOf(10, 2 * MEBIBYTE, 20), [near, far], ranking, 0)
  t.match(pack, { kind: 'pack', peer: near, wants: [{ limitBytes: 10 }, { limitBytes: 20 }] })
  t.match(planTransfer(tableOf(2 * MEBIBYTE), [near, far], ranking, 0), { kind: 'single', peer: near })
  t.match(planTransfer(tableOf(undefined), [near, far], ranking, 0), { kind: 'single', peer: near })
  t.equal(planTransfer(tableOf(10), [], ranking, 0), undefined)
  const many = planTransfer(tableOf(...Array.from({ length: 5000 }, () => 10)), [near], ranking, 0)
  t.equal(many?.kind === 'pack' && many.wants.length, 4096)
  const heavy = planTransfer(tableOf(...Array.from({ length: 80 }, () => MEBIBYTE)), [near], ranking, 0)
  t.equal(heavy?.kind === 'pack' && heavy.wants.length, 64)
})

t.test('a busy peer is left alone', async (t) => {
  const ranking = new PeerRanking()
  ranking.begin(near.key)
  ranking.begin(near.key)
  t.match(planTransfer(tableOf(10), [near, far], ranking, 0), { peer: far })
  t.equal(planTransfer(tableOf(10), [near], ranking, 0), undefined)
  ranking.end(near.key)
  t.match(planTransfer(tableOf(10), [near, far], ranking, 0), { peer: near })
})

t.test('a peer put behind gets only what all others were asked for, for a time that doubles', async (t) => {
  const ranking = new PeerRanking()
  const table = tableOf(10)
  ranking.blame(near.key, 'failed', 0)
  t.match(planTransfer(table, [near, far], ranking, 1999), { peer: far })
  ranking.begin(far.key)
  ranking.begin(far.key)
  t.equal(planTransfer(table, [near, far], ranking, 1999), undefined, 'not even while the others are busy')
  t.match(planTransfer(table, [near, far], ranking, 2000), { peer: near })
  for (const want of table.queued) want.asked.add(far.key)
  t.match(planTransfer(table, [near, far], ranking, 1999), { peer: near })
  t.same(findExhausted(table, [near, far]), [])
  for (const want of table.queued) want.asked.add(near.key)
  t.equal(findExhausted(table, [near, far]).length, 1)
  ranking.blame(near.key, 'failed', 0)
  t.ok(ranking.isBehind(near.key, 3999))
  ranking.succeed(near.key)
  t.notOk(ranking.isBehind(near.key, 0))
})
