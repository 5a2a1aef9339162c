export { endGently } from './end-gently.ts'
export { exactly, wrongLength } from './exact-length.ts'
export { listen, listenError } from './listen.ts'
