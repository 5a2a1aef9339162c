/**
 * What the processes of a node are started with; `cli/bin/makiatto` says the same. A young generation of 2 MiB keeps a node
 * that took in 4,000 files at 123 to 133 MB where it was 158 to 196: the buffers that hang on dead objects are freed sooner.
 * Taking files in was not slower with it; docs/performance.md says what was measured and what was not.
 */
export const NODE_FLAGS: readonly string[] = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=2']

/**
 * What the C library's allocator is told, which holds the buffers and LevelDB's memory: give large blocks back at once,
 * and keep two pools instead of eight a core. Only read when a process starts. Some 7 MB.
 */
export const NODE_ALLOCATOR: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '131072',
}
