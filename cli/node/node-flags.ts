/**
 * What the processes of a node are started with; `cli/bin/makiatto` says the same. A young generation of 2 MiB keeps a node
 * that took in a large site at 120 MB where it was 200: the buffers that hang on dead objects are freed sooner. Nothing that a
 * node does was measured to be slower with it.
 */
export const NODE_FLAGS: readonly string[] = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=2']
