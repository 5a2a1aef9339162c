/** Content of a request that waits to be read. Until somebody reads it little of it is taken from the client. */
export interface RequestContent {
  /** Octets, as the head says; undefined where it does not. */
  readonly lengthBytes: number | undefined
  /**
   * All of it, or why not: more than so many bytes; the client left in the middle, or nobody wanted it any more; or `mayHold`
   * said no, which is asked before more bytes are kept in memory. To be called once; never rejects.
   */
  read(maxBytes: number, mayHold?: (moreBytes: number) => boolean): Promise<Uint8Array | ContentFailure>
  /** Nobody will read it, or go on reading it: what still comes is passed over. Idempotent. */
  drop(): void
}

/** Why content could not be had as a whole. */
export type ContentFailure = 'too-large' | 'gone' | 'refused'
