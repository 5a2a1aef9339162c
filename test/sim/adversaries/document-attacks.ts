import * as Y from 'yjs'
import { encodeFrame, type Frame } from '../../../replication/gossip/wire.ts'
import type { OperationRecord } from '../../../replication/index.ts'
import type { Random } from '../../support/seeds.ts'
import type { HostilePeer } from './hostile-peer.ts'

const MAP = 'operations'

/** Deletes entries of the shared document. */
export function deleteEntries(peer: HostilePeer, random: Random): void {
  const document = copyOf(peer.document, random)
  const map = document.getMap<Uint8Array>(MAP)
  const keys = [...map.keys()]
  if (keys.length === 0) return
  const doomed = random.shuffle(keys).slice(0, 5)
  const update = updateOf(document, () => {
    for (const key of doomed) map.delete(key)
  })
  peer.sync({ kind: 'update', update })
}

/** Sets entries that are there to other bytes, as a process of its own that never saw them. */
export function replaceEntries(peer: HostilePeer, random: Random): void {
  const keys = [...peer.document.getMap(MAP).keys()]
  if (keys.length === 0) return
  const document = newDocument(random)
  const map = document.getMap<Uint8Array>(MAP)
  peer.sync({ kind: 'update', update: updateOf(document, () => map.set(random.pick(keys), random.bytes(80))) })
}

/** Puts a right operation into the slot of the document that another process will write next. */
export function squatSlot(peer: HostilePeer, random: Random, { id, bytes }: OperationRecord): void {
  const document = copyOf(peer.document, random)
  const clients = [...document.store.clients.keys()]
  if (clients.length === 0) return
  document.clientID = random.pick(clients)
  const map = document.getMap<Uint8Array>(MAP)
  peer.sync({ kind: 'update', update: updateOf(document, () => map.set(id, new Uint8Array(bytes))) })
}

/** Tells of the second of two entries and keeps the first to itself. */
export function leaveGap(peer: HostilePeer, random: Random, { id, bytes }: OperationRecord): void {
  const document = newDocument(random)
  const map = document.getMap<Uint8Array>(MAP)
  map.set(id, new Uint8Array(bytes))
  const vector = Y.encodeStateVector(document)
  for (const [key, value] of peer.document.getMap<Uint8Array>(MAP)) {
    map.set(key, new Uint8Array(value))
    if (random.chance(0.5)) break
  }
  peer.sync({ kind: 'update', update: Y.encodeStateAsUpdate(document, vector) })
}

/** Frames of right shape with wrong content, and bytes of no shape at all. */
export function sendGarbage(peer: HostilePeer, random: Random): void {
  const frames: (() => Frame)[] = [
    () => ({ type: 'operations', operations: [random.bytes(200), random.bytes(70)] }),
    () => ({ type: 'request', ids: random.bytes(32 * 50) }),
    () => ({ type: 'bucket', index: random.integer(256), ids: random.bytes(32 * 20) }),
    () => ({ type: 'table', table: random.bytes(256 * 36) }),
    () => ({ type: 'digest', vector: random.bytes(20), root: random.bytes(32) }),
    () => ({ type: 'sync', message: random.bytes(30) }),
    () => ({ type: 'awareness', entries: [random.bytes(100)] }),
    () => ({ type: 'bye', reason: 'never mind' }),
  ]
  if (random.chance(0.2)) peer.sendBytes(random.bytes(1 + random.integer(5000)))
  else for (let i = 0; i < 1 + random.integer(5); i++) peer.send(random.pick(frames)())
}

/** What others said, once more, in another order. */
export function replayFrames(peer: HostilePeer, random: Random): void {
  for (const frame of random.shuffle(peer.heard).slice(0, 20))
    if (frame.type !== 'bye') peer.sendBytes(encodeFrame(frame))
}

/** Many copies of one update: cheap to send. */
export function flood(peer: HostilePeer, random: Random): void {
  const update = Y.encodeStateAsUpdate(peer.document)
  for (let i = 0; i < 30; i++) peer.sync({ kind: random.pick(['update', 'step2'] as const), update })
}

/** What members said about themselves long ago, as if it were news. */
export function replayAwareness(peer: HostilePeer, random: Random): void {
  const entries = random.shuffle(peer.awareness).slice(0, 10)
  if (entries.length > 0) peer.send({ type: 'awareness', entries })
}

/** Yjs draws client ids itself; in a simulation they come from the seed. */
function newDocument(random: Random): Y.Doc {
  const document = new Y.Doc()
  document.clientID = random.integer(2 ** 32)
  return document
}

function copyOf(document: Y.Doc, random: Random): Y.Doc {
  const copy = newDocument(random)
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(document))
  return copy
}

function updateOf(document: Y.Doc, change: () => void): Uint8Array {
  const before = Y.encodeStateVector(document)
  document.transact(change)
  return Y.encodeStateAsUpdate(document, before)
}
