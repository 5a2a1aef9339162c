import type { Built, ComponentFault } from '../../../edge/index.ts'

type End = Extract<Built, { kind: 'ended' }>['why']

const WORDS = {
  timeout: 'making it ready took too long',
  memory: 'making it ready took too much memory',
  died: 'it ended the process that makes components ready, twice',
  nonsense: 'it made the process that makes components ready say what no such process says',
} satisfies Partial<Record<End, string>>

/** What the end of a builder says of the component that it worked on; undefined where it says nothing of it. Pure. */
export function costlyFault(why: End): ComponentFault | undefined {
  if (why === 'closed' || why === 'not-started') return undefined
  return {
    code: 'too-costly',
    message: WORDS[why],
    hint: 'Build it smaller: for release, with optimisation for size, and without what is for debugging.',
  }
}
