/** A file of rules larger than this is refused by `sync`; of one that came another way, what stands beyond is not read. */
export const MAX_RULE_FILE_BYTES = 1_000_000
/** Rules of one file; blocks, in `_headers`. */
export const MAX_RULES = 10_000
/** Rules whose source is no plain path, nor one of whole segments: each is tried by itself. */
export const MAX_LOOSE_RULES = 256
/** Parts of all those together, text and wildcards: trying one takes as many steps as it has parts for each character of a path. */
export const MAX_LOOSE_PARTS = 1024
/** A longer line is no rule of anybody's. */
export const MAX_LINE_CHARS = 4096
/** Of a source that is not made of whole segments: the cost of one attempt grows with it. */
export const MAX_LOOSE_CHARS = 256
/** Wildcards and placeholders of one source. */
export const MAX_WILDCARDS = 16
/** What rules may add to one answer, names and values together; what is over it stays away. */
export const MAX_ADDED_CHARS = 16_384
/** Lines at fault after which nothing more of a file is read: it is no file of rules. */
export const MAX_FAULTS = 1000
