import t from 'tap'
import { findErrorShape } from '../../../cli/client/answer-body.ts'
import { reportError } from '../../../cli/output/report-error.ts'
import type { Host } from '../../../cli/program/host.ts'
import { systemRuntime } from '../../../cli/system.ts'
import { MakiError } from '../../../core/index.ts'
import { createRandom, seeds } from '../../support/seeds.ts'

function report(error: unknown, debug = false): { code: number; said: string } {
  let said = ''
  const sink = {
    write: (text: string) => {
      said += text
    },
    isTerminal: false,
    columns: undefined,
  }
  const signal = new AbortController().signal
  const host: Host = { stdout: sink, stderr: sink, env: { NO_COLOR: '1' }, cwd: '/', runtime: systemRuntime, signal }
  return { code: reportError(error, host, { json: false, debug }), said }
}

t.test('the lines of an error stay, and what moves a cursor does not', async (t) => {
  const error = new MakiError('MAKI_CONFLICT', 'two\nlines \u001b[2J', { hint: 'one\r\nand \u009b31m another' })
  t.strictSame(report(error), {
    code: 4,
    said: 'Error: two\nlines \\x1b[2J\nTry: one\\x0d\n     and \\x9b31m another\n',
  })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
  t.notMatch(report(error, true).said, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
})

t.test('what the system refuses is said in words, and no fault of ours', async (t) => {
  const refused = (code: string, path?: string): unknown => Object.assign(new Error(`${code}: refused`), { code, path })
  const cases: [unknown, RegExp][] = [
    [refused('ENOSPC', '/a/b'), /^Error: there is no room on the disk for \/a\/b\nTry: Make room/],
    [refused('EDQUOT'), /^Error: there is no room on the disk for a file\nTry: /],
    [refused('EACCES', "/it's"), /^Error: \/it's may not be read or written by you\nTry: ls -ld '\/it'\\''s'\n$/],
    [refused('EROFS', '/a'), /^Error: \/a is on a disk that may only be read\nTry: /],
    [refused('EMFILE'), /^Error: too many files are open on this computer\nTry: ulimit/],
    [refused('ENOTDIR', '/a/b'), /^Error: \/a\/b cannot be used as a path: ENOTDIR: refused\nTry: /],
  ]
  for (const [error, says] of cases) {
    const { code, said } = report(error)
    t.equal(code, 4)
    t.match(said, says)
    t.notMatch(said, /fault of maki/)
  }
  t.match(report(new TypeError('x is undefined')), {
    code: 4,
    said: /^Error: x is undefined\nThis is a fault of maki itself/,
  })
})

for (const seed of seeds(100))
  t.test(`whatever a node answers in place of an error, it is told or taken for none (seed ${seed})`, async (t) => {
    const random = createRandom(seed)
    const value = (): unknown =>
      random.pick<unknown>([1, null, '', 'text \u001b[31m', [], {}, true, { toString: 1 }, 'MAKI_CONFLICT', 'toString'])
    const shape = {
      code: random.chance(0.7) ? 'MAKI_CONFLICT' : value(),
      message: random.chance(0.7) ? 'no \u0007' : value(),
      ...(random.chance(0.7) ? { hint: value() } : {}),
    }
    const found = findErrorShape(JSON.stringify(random.chance(0.1) ? value() : shape))
    if (found === undefined) return
    const { said } = report(
      new MakiError(found.code, found.message, found.hint === undefined ? {} : { hint: found.hint }),
    )
    t.match(said, /^Error: /)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
    t.notMatch(said, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
  })
