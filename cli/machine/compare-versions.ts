/**
 * Less than 0 where `a` is the older version, more where it is the newer; by the numbers of Semantic Versioning, a pre-release
 * before its release. 0 for what is no version: nothing is known of it. Pure.
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [readVersion(a), readVersion(b)]
  if (left === undefined || right === undefined) return 0
  for (const i of [0, 1, 2]) {
    const difference = (left.numbers[i] as number) - (right.numbers[i] as number)
    if (difference !== 0) return difference
  }
  return Number(left.isRelease) - Number(right.isRelease)
}

function readVersion(text: string): { readonly numbers: readonly number[]; readonly isRelease: boolean } | undefined {
  const found = /^(\d{1,9})\.(\d{1,9})\.(\d{1,9})(-[\w.-]+)?(\+[\w.-]+)?$/.exec(text)
  if (found === null) return undefined
  return { numbers: found.slice(1, 4).map(Number), isRelease: found[4] === undefined }
}
