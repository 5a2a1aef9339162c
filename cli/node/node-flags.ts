/**
 * What the processes of a node are started with; `cli/bin/makiatto` says the same. A young generation of 2 MiB keeps a node
 * that took in a large site at 120 MB where it was 200: the buffers that hang on dead objects are freed sooner. Nothing that a
 * node does was measured to be slower with it.
 */
export const NODE_FLAGS: readonly string[] = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=2']

/**
 * What the C library's allocator is told, which holds the buffers and LevelDB's memory: give large blocks back at once,
 * and keep two pools instead of eight a core. Only read when a process starts. Some 20 MB of a node that took in a large site.
 */
export const NODE_ALLOCATOR: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '131072',
}
