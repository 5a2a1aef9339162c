import { MakiError } from '../../core/index.ts'

/** The one id that begins with what was typed; `hint` says where such ids are listed. Throws MAKI_NOT_FOUND, or MAKI_USAGE where several do. */
export function resolvePrefix<Id extends string>(
  typed: string,
  ids: Iterable<Id>,
  what: string,
  hint = 'maki history',
): Id {
  const prefix = typed.toLowerCase()
  const found = new Set<Id>()
  if (prefix !== '') for (const id of ids) if (id.startsWith(prefix)) found.add(id)
  const [only, second] = found
  if (only === undefined) {
    throw new MakiError('MAKI_NOT_FOUND', `there is no ${what} ${JSON.stringify(typed)}`, { hint })
  }
  if (second === undefined) return only
  throw new MakiError('MAKI_USAGE', `${JSON.stringify(typed)} fits ${found.size} ${what}s`, {
    hint: `Write more of it: ${[...found]
      .slice(0, 5)
      .map((id) => id.slice(0, Math.max(prefix.length + 4, 10)))
      .join(', ')}`,
  })
}
