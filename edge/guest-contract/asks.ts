/**
 * What a guest's process asks of its owner while it runs a guest, as headers of frames (see `confined/frames.ts`). The
 * process itself can open nothing: every file, name and connection is had in this way, from a `GuestServices` that decides.
 * Each ask but `print` is answered by one frame; the process waits for it.
 */
export type Ask =
  /** Bytes for standard output or error, in the body. Not answered. */
  | { readonly ask: 'print'; readonly stream: 'stdout' | 'stderr' }
  /** What lies at a path of the site: `''` is its root, no `.`, `..` or empty segment. */
  | { readonly ask: 'stat'; readonly path: string }
  /** Names in a folder, from the one after `after` on, in the order of the manifest; a name that is a file and a folder is a file. */
  | { readonly ask: 'list'; readonly path: string; readonly after?: string }
  /** At most `length` bytes of a file. */
  | { readonly ask: 'read'; readonly path: string; readonly offset: number; readonly length: number }
  /** Addresses of a host name. */
  | { readonly ask: 'resolve'; readonly name: string }
  | { readonly ask: 'tcp-connect'; readonly address: string; readonly port: number }
  /** Both ends of a connection, once it stands; why it does not, where it failed. */
  | { readonly ask: 'tcp-ends'; readonly id: number }
  /** At most `length` bytes, or nothing yet. */
  | { readonly ask: 'tcp-read'; readonly id: number; readonly length: number }
  /** The body, or as much as there is room for. */
  | { readonly ask: 'tcp-write'; readonly id: number }
  | { readonly ask: 'tcp-shutdown'; readonly id: number; readonly how: 'receive' | 'send' | 'both' }
  /** A request with all of its content, in the body. */
  | { readonly ask: 'http-send'; readonly request: OutgoingRequest }
  /** The head of the response, or nothing yet. */
  | { readonly ask: 'http-head'; readonly id: number }
  | { readonly ask: 'http-read'; readonly id: number; readonly length: number }
  /** Waits until one of these can go on (a connection that stands or failed is ready for `write`), or so many milliseconds. */
  | { readonly ask: 'wait'; readonly for: readonly Waiting[]; readonly mostMs: number }
  /** Gives up a connection or a request. */
  | { readonly ask: 'close'; readonly id: number }

export interface OutgoingRequest {
  /** Upper case. */
  readonly method: string
  readonly scheme: 'http' | 'https'
  /** Host, with a port where it is not the usual one. */
  readonly authority: string
  /** With its query. */
  readonly path: string
  /** Values here and in a response as text in Latin-1: a byte, a character. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Until the head of the response has come. */
  readonly timeoutMs?: number
}

/** `read`: bytes, an end or an error can be had, the head of a response likewise; `write`: there is room. */
export interface Waiting {
  readonly id: number
  readonly until: 'read' | 'write'
}

/** Address without brackets or zone. */
export interface SocketEnd {
  readonly address: string
  readonly port: number
}

/** Answers, by the ask. What fails says so by a code of WASI's for that interface, in kebab case (`access-denied`). */
export type Answer =
  | { readonly error: string }
  | { readonly type: 'file'; readonly sizeBytes: number; readonly hash: string }
  | { readonly type: 'folder' }
  | {
      readonly entries: readonly (readonly [name: string, type: 'file' | 'folder'])[]
      readonly more: boolean
    }
  /** Of `read`, `tcp-read`, `http-read`: bytes are in the body; `ended`: none come any more; neither: nothing yet. */
  | { readonly ended: boolean }
  | { readonly addresses: readonly string[] }
  /** Of `tcp-connect`, which goes on (`wait` for `write`, then ask for its ends), and of `http-send`. */
  | { readonly id: number }
  | { readonly wrote: number }
  | { readonly pending: true }
  | { readonly local: SocketEnd; readonly remote: SocketEnd }
  | { readonly status: number; readonly headers: readonly (readonly [name: string, value: string])[] }
  /** Positions in `for`. */
  | { readonly ready: readonly number[] }
  | { readonly done: true }

/** What a guest's owner offers while one request runs. Never rejects; a body comes with answers that have one. */
export interface GuestServices {
  answer(ask: Ask, body: Uint8Array): Promise<{ readonly header: Answer; readonly body?: Uint8Array }>
  /** The request is over: everything that it left open is closed. */
  close(): void
}

/** What is asked of the network. */
export type NetworkAsk = Exclude<Ask, { ask: 'print' | 'stat' | 'list' | 'read' }>

/** Connections of one run: see `GuestServices`. */
export interface NetworkServices {
  answer(ask: NetworkAsk, body: Uint8Array): Promise<{ readonly header: Answer; readonly body?: Uint8Array }>
  close(): void
}
