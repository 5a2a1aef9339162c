export { type Node, type NodeOptions, startNode } from './node.ts'
export { makeNodeKey } from './node-key.ts'
export { type Parts, parseParts } from './parts.ts'
export { runDaemon } from './run-daemon.ts'
