import { parentPort, workerData } from 'node:worker_threads'
import type { AsideFile, AsideResult, AsideWork } from './hash-aside.ts'
import { hashInSteps } from './hash-file.ts'

/** So many results are told at a time. */
const BATCH = 100

/** The second thread of a scan: takes files from the end of the list until none is left that nobody has taken. */
function work({ files, taken }: AsideWork): void {
  const results: AsideResult[] = []
  const tell = (): void => parentPort?.postMessage(results.splice(0))
  for (let at = files.length - 1; Atomics.add(taken, 0, 1) < files.length; at--) {
    const result = hashWhole(files[at] as AsideFile)
    if (result !== undefined) results.push([at, result])
    if (results.length === BATCH) tell()
  }
  tell()
}

/** Undefined for what no file can be blamed for: the other thread comes to it, and says it. */
function hashWhole(file: AsideFile): AsideResult[1] | undefined {
  try {
    const steps = hashInSteps(file)
    for (;;) {
      const step = steps.next()
      if (step.done === true) return step.value
    }
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    return code === undefined ? undefined : { code }
  }
}

work(workerData as AsideWork)
