import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import t from 'tap'
import { readSyncMessage, writeSyncStep1, writeUpdate } from 'y-protocols/sync'
import * as Y from 'yjs'
import { createOperation, nextStamp } from '../../../core/index.ts'
import { encodeSyncMessage, parseSyncMessage } from '../../../replication/gossip/sync-message.ts'
import { createTestCluster } from '../../support/histories.ts'
import { createRandom, seeds } from '../../support/seeds.ts'
import { IndexPeer } from '../replica/document-peer.ts'

const cluster = createTestCluster()

/** A Yjs document as any program that uses y-protocols has it: what it answers to a message, if anything. */
function answer(doc: Y.Doc, message: Uint8Array): Uint8Array | undefined {
  const encoder = encoding.createEncoder()
  readSyncMessage(decoding.createDecoder(message), encoder, doc, 'peer')
  return encoding.length(encoder) === 0 ? undefined : encoding.toUint8Array(encoder)
}

const written = (write: (encoder: encoding.Encoder) => void): Uint8Array => {
  const encoder = encoding.createEncoder()
  write(encoder)
  return encoding.toUint8Array(encoder)
}

for (const seed of seeds(20)) {
  t.test(`a document of Yjs and ours come to hold the same over y-protocols (SEED=${seed})`, async (t) => {
    const random = createRandom(seed)
    const ours = new IndexPeer(seed)
    const doc = new Y.Doc()
    const theirs = doc.getMap<Uint8Array>('operations')
    for (let i = 0; i < 30; i++) {
      const stamp = nextStamp(i * 10, [cluster.creation.stamp])
      const changes = [{ kind: 'domain.remove', domain: `d${i}-${seed}.example` as never } as const]
      const operation = createOperation(cluster.operator, cluster.id, { stamp, heads: [cluster.creation.id], changes })
      if (random.chance(0.7)) await ours.write(operation)
      if (random.chance(0.5)) theirs.set(operation.id, new Uint8Array(operation.bytes))
    }

    const asked = answer(doc, encodeSyncMessage({ kind: 'step1', vector: ours.stateVector() }))
    const step2 = parseSyncMessage(asked as Uint8Array)
    if (step2.kind !== 'step2') throw new Error(`a ${step2.kind} came for a step 1`)
    const step1 = parseSyncMessage(written((encoder) => writeSyncStep1(encoder, doc)))
    if (step1.kind !== 'step1') throw new Error(`a ${step1.kind} came for a step 1`)
    const parts = await ours.diff(step1.vector)
    await ours.take(step2.update)
    for (const [i, update] of parts.entries()) {
      const kind = i === parts.length - 1 ? 'step2' : 'update'
      t.equal(answer(doc, encodeSyncMessage({ kind, update })), undefined)
    }

    t.same([...theirs.keys()].sort(), [...new Set(ours.ids())].sort())
    t.same(Y.decodeStateVector(ours.stateVector()), Y.decodeStateVector(Y.encodeStateVector(doc)))
    t.same(ours.foreign, [])
  })
}

t.test('what is new is told in the bytes of y-protocols', async (t) => {
  const update = Y.encodeStateAsUpdate(new Y.Doc())
  t.same(
    encodeSyncMessage({ kind: 'update', update }),
    written((encoder) => writeUpdate(encoder, update)),
  )
})
