import { MessageChannel } from 'node:worker_threads'

/** Timers of the runtime do not keep a process alive; this does, as the real program's host does. */
export function keepAwake(): Disposable {
  const { port1 } = new MessageChannel()
  port1.on('message', () => {})
  return { [Symbol.dispose]: () => port1.close() }
}
