/** Whether a connection may be asked for a host, in lower case: its certificate is one for it. */
export type Covers = (host: string) => boolean

const covered = new WeakMap<object, Covers>()

/** Notes it of a TLS connection that was accepted. */
export function setCovers(socket: object, covers: Covers): void {
  covered.set(socket, covers)
}

/** Undefined for connections that are not ours in TLS: they may ask for any host. */
export const coversOf = (socket: object): Covers | undefined => covered.get(socket)
