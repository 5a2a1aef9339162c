export { askParent, type ParentReport, type ParentServer, type ParentWord } from './ask-parent.ts'
export { parseServerAddress, type ServerAddress } from './ask-server.ts'
export { type Resolved, type ResolveOptions, resolve } from './resolve.ts'
