import type { Cancel } from '../../core/index.ts'
import type { Host, TextSink } from '../program/host.ts'
import { cutToWidth } from './table.ts'

/** Whoever waits for longer wants to see that something is under way. */
const SILENCE_MS = 500
const FRAME_MS = 100
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const
const ERASE = '\r\u001b[2K'

/**
 * The same host, whose terminal shows a line with the time that passes while nothing is printed for longer than half a second. It
 * goes as soon as something is printed or asked, and stays away while somebody else has a line of their own open. To be disposed of.
 */
export function withWaitLine(host: Host, what: string): Host & Disposable {
  const { stderr, runtime, ask, askSecret } = host
  const startMs = runtime.monotonic()
  let cancel: Cancel = () => {}
  let frame = 0
  let isDrawn = false
  let isPaused = false

  const draw = (): void => {
    const seconds = Math.floor((runtime.monotonic() - startMs) / 1000)
    const text = `${FRAMES[frame++ % FRAMES.length]} ${what}${seconds === 0 ? '' : `, ${seconds} s`} (Ctrl-C ends it)`
    stderr.write(`${ERASE}${cutToWidth(text, (stderr.columns || 80) - 1)}`)
    isDrawn = true
    cancel = runtime.after(FRAME_MS, draw)
  }
  const hide = (): void => {
    cancel()
    cancel = () => {}
    if (isDrawn) stderr.write(ERASE)
    isDrawn = false
  }
  const arm = (): void => {
    if (!isPaused) cancel = runtime.after(SILENCE_MS, draw)
  }
  const watch = (sink: TextSink): TextSink => ({
    write(text) {
      hide()
      sink.write(text)
      // A line that is not at its end is somebody's progress, or a question.
      if (text.endsWith('\n')) arm()
    },
    isTerminal: sink.isTerminal,
    get columns() {
      return sink.columns
    },
  })
  const pausing = (question: NonNullable<Host['ask']>) => async (text: string) => {
    isPaused = true
    hide()
    try {
      return await question(text)
    } finally {
      isPaused = false
      arm()
    }
  }
  arm()
  return {
    ...host,
    stdout: watch(host.stdout),
    stderr: watch(stderr),
    ...(ask === undefined ? {} : { ask: pausing(ask) }),
    ...(askSecret === undefined ? {} : { askSecret: pausing(askSecret) }),
    [Symbol.dispose]() {
      isPaused = true
      hide()
    },
  }
}
