import type { JudgeInput, Refusal } from './judge-input.ts'

/** What was there before us and is in the way. A node of this cluster by this name is not: it is gone on with. */
export function judgeFound({ survey, target, name, cluster, recreate }: JudgeInput): readonly Refusal[] {
  const { found } = survey
  switch (found.kind) {
    case 'nothing':
    case 'remains':
      return []
    case 'rust':
      return [
        {
          why: `the Makiatto that was written in Rust is there (${found.marks.join(', ')})`,
          hint: 'What moves over and how: docs/coming-from-rust.md',
        },
      ]
    case 'foreign':
      return [
        {
          why: `something lies where ours would lie, or may be written to by others than root: ${found.marks.join(', ')}`,
          hint: 'Look at what it is and whose (ls -la), and move it away.',
        },
      ]
    case 'node': {
      if (!found.isBegun) return []
      const which = found.name ?? 'one whose configuration cannot be read'
      if (cluster === undefined) {
        return [
          {
            why: `it is a node already, ${which}, of the cluster ${found.cluster ?? 'that its configuration does not name'}, and there is no profile here`,
            hint: `Write it to a profile with: maki machine add ${target}`,
          },
        ]
      }
      if (found.cluster !== cluster) {
        return [
          {
            why: `it is a node of another cluster: ${which}, of ${found.cluster ?? 'one that its configuration does not name'}`,
            hint: 'Use the profile of that cluster (--profile FILE), or take it out there first: maki machine remove NAME',
          },
        ]
      }
      if (found.name === name || recreate) return []
      return [
        {
          why: `it is a node of this cluster already, by the name ${which}`,
          hint:
            found.name === undefined
              ? `Set it up anew with --recreate.`
              : `maki machine init ${found.name} ${target}, or set it up anew with --recreate.`,
        },
      ]
    }
    default:
      return found satisfies never
  }
}
