/**
 * Takes from the globals what the glue has no use for. It is no boundary, since whoever runs code of his own here finds a
 * way around it: the boundary is that the process may open nothing. It only makes the first step harder.
 */
export function stripGlobals(): void {
  const gone = [
    'process',
    'fetch',
    'Request',
    'Response',
    'Headers',
    'FormData',
    'WebSocket',
    'EventSource',
    'Worker',
    'BroadcastChannel',
    'MessageChannel',
    'MessagePort',
    'navigator',
    'require',
    'module',
    'eval',
    'Function',
    'setTimeout',
    'setInterval',
    'setImmediate',
    'queueMicrotask',
    'structuredClone',
    'crypto',
    'Blob',
    'File',
    'URL',
    'console',
    'SharedArrayBuffer',
    'Atomics',
  ]
  for (const name of gone) Reflect.deleteProperty(globalThis, name)
}
