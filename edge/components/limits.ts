/** What a component may have of each thing before it is turned away unread. */
export interface ComponentLimits {
  readonly maxSizeBytes: number
  /** Of all its memories together, before it runs. */
  readonly maxInitialMemoryBytes: number
}

/** 32 MiB hold all of a JavaScript engine twice; the memory is the most that a daemon gives by its default. */
export const DEFAULT_LIMITS: ComponentLimits = {
  maxSizeBytes: 32 * 1024 * 1024,
  maxInitialMemoryBytes: 512 * 1024 * 1024,
}

/** Bytes of one page of a memory. */
export const PAGE_BYTES = 65_536

/**
 * Counts that no toolchain comes near (a component of a whole JavaScript engine in ten libraries has 400 names, 30 core
 * instances and types of 60 parts) and that bound what is spent on reading one, and on the JavaScript that is made of it.
 */
export const MOST = {
  /** Components within components. */
  nesting: 8,
  /** Names, types, and all else that is listed. */
  items: 200_000,
  coreModules: 200,
  components: 1_000,
  /** Instances of core modules in one instance of the component, however deep. */
  coreInstances: 500,
  memories: 50,
  tables: 500,
  /** In all tables, from the start. */
  tableElements: 1_000_000,
  /** Parts of one type with all that it refers to, each as often as it is referred to. */
  typeParts: 5_000,
  typeDepth: 100,
  /** Definitions and the parts of types of functions lifted and lowered, each as often as it is instantiated. */
  work: 300_000,
  nameBytes: 2_048,
} as const
