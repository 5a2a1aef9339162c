/** Since the start; `ready`, `bytes` and `waiting` are of now. */
export interface VariantCounts {
  readonly ready: number
  readonly bytes: number
  readonly waiting: number
  readonly made: number
  /** Tried, and it saved too little. */
  readonly useless: number
  readonly evicted: number
  /** Found gone or wrong on the disk. */
  readonly damaged: number
  readonly failed: number
  /** Left as they are because the budget or the disk is full. */
  readonly noRoom: number
}
