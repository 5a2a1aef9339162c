import t from 'tap'
import { createRandom, seeds } from '../support/seeds.ts'
import { DocumentedIds } from './documented-ids.ts'
import { findExpected, formatDifference, isAsExpected, parseTranscript } from './transcript.ts'

const DOCUMENT = `# Title

\`\`\`console first-terminal
$ npm start
…
ready
\`\`\`

Text with \`$ code\`.

\`\`\`console
$ export A=1
$ echo one \\
> two
one two
\`\`\`

\`\`\`toml
$ not a command
\`\`\`

\`\`\`console first-terminal
one … more
^C
All ended.
\`\`\`
`

t.test('a document becomes steps', async (t) => {
  t.strictSame(parseTranscript(DOCUMENT), [
    { kind: 'start', line: 4, command: 'npm start', expected: ['…', 'ready'] },
    { kind: 'run', line: 12, command: 'export A=1', expected: [] },
    { kind: 'run', line: 13, command: 'echo one \\\ntwo', expected: ['one two'] },
    { kind: 'says', line: 23, command: '', expected: ['one … more'] },
    { kind: 'interrupt', line: 24, command: '', expected: ['All ended.'] },
  ])
})

t.test('a terminal on another computer has its name', async (t) => {
  t.strictSame(parseTranscript('```console of ann\n$ ls\na.txt\n```'), [
    { kind: 'run', line: 2, command: 'ls', expected: ['a.txt'], computer: 'ann' },
  ])
})

t.test('an id stands for the same id everywhere, and for no other', async (t) => {
  const [one, two] = ['k3v7q2mdda', 'mm4a6qzxlo']
  const whole = `${one}${'a2'.repeat(21)}`
  const ids = new DocumentedIds()
  t.notOk(isAsExpected([`${one} by ann`], 'operations by bob', ids))
  t.equal(ids.fill(`maki show ${one}`), `maki show ${one}`, 'nothing is learned from what does not fit')
  t.notOk(isAsExpected([`${one} ${one}`], 'aaaaaaaaaa bbbbbbbbbb', ids), 'one is one')
  t.notOk(isAsExpected([`${one} ${two}`], 'aaaaaaaaaa aaaaaaaaaa', ids), 'two are two')
  t.ok(isAsExpected([`${one} by ann`, '…', `after ${one}`], 'aaaaaaaaaa by ann\nx\nafter aaaaaaaaaa', ids))
  t.equal(ids.fill(`maki show ${one}`), 'maki show aaaaaaaaaa')
  t.notOk(isAsExpected([`${one}`], 'bbbbbbbbbb', ids), 'it stays what it is')
  t.notOk(isAsExpected([`id ${whole}`], `id ${'b'.repeat(52)}`, ids), 'a whole id begins with the short one')
  t.ok(isAsExpected([`id ${whole}`], `id ${'a'.repeat(52)}`, ids))
  t.match(formatDifference([`${one} up`], 'bbbbbbbbbb up', ids), /^[+] bbbbbbbbbb up$/m)
  t.notOk(isAsExpected(['operations'], 'aaaaaaaaaa'), 'a word is a word')
})

t.test('a block that cannot be replayed is refused with its line', async (t) => {
  t.throws(() => parseTranscript('```console\nno command\n```'), /line 2: what is printed stands before a command/)
  t.throws(() => parseTranscript('\n```console third\n```'), /line 2: a block called console third/)
  t.throws(() => parseTranscript('```console\n$ ls'), /line 1: a block that does not end/)
})

t.test('outputs that fit and outputs that do not', async (t) => {
  const cases: [boolean, string[], string][] = [
    [true, [], ''],
    [true, [], '\n\n'],
    [false, [], 'x\n'],
    [true, ['a', '', 'b'], 'a  \n\nb'],
    [false, ['a', 'b'], 'a\nx\nb'],
    [true, ['a … c (1)'], 'a b c (1)\n'],
    [false, ['a … c'], 'a b\nc'],
    [true, ['…', 'z'], 'z'],
    [true, ['…', 'z', '…'], 'x\ny\nz\nw'],
    [false, ['…', 'z'], 'x\nz\ny'],
    [false, ['a.c'], 'abc'],
    [true, ['…'], ''],
  ]
  for (const [fits, expected, output] of cases)
    t.equal(isAsExpected(expected, output), fits, `${JSON.stringify(expected)} and ${JSON.stringify(output)}`)
})

t.test('what is said somewhere is found, with the place after it', async (t) => {
  const text = 'starting\nnode2 ended (SIGKILL)\n  {"a":1}\nnode2 is back (process 7)\nrest'
  t.equal(text.slice(findExpected(['node2 ended (…)', '…', 'node2 is back …'], text)), 'rest')
  t.equal(findExpected(['ended (SIGKILL)'], text), undefined, 'a line is a whole line')
  t.equal(findExpected(['rest'], text), undefined, 'a line that may go on is not one yet')
})

t.test('a difference is read as a diff', async (t) => {
  t.equal(
    formatDifference(['NODE  STATE', 'node1 …', 'node2 up', '…'], 'NODE  STATE\nnode1 up\nnode2 down\nnode3 up\n'),
    ['  NODE  STATE', '  node1 up', '+ node2 down', '+ node3 up', '- node2 up', '  …'].join('\n'),
  )
})

for (const seed of seeds(200)) {
  t.test(`what was made from a pattern fits it, and one more line does not, seed ${seed}`, async (t) => {
    const random = createRandom(seed)
    const words = ['a', 'b.c', '(x)', '$ y', '[z]', '\\', '']
    const pattern = Array.from(
      { length: 1 + random.integer(6) },
      () => `${random.pick(words)}|${random.chance(0.4) ? '…' : 'w'}|`,
    )
    const output = pattern.map((line) => line.replace('…', random.pick(['', 'many words', '…']))).join('\n')
    t.equal(isAsExpected(pattern, output), true)
    t.equal(isAsExpected(pattern, `${output}\nmore`), false)
    t.equal(findExpected(pattern, `before\n${output}\n`), `before\n${output}\n`.length)
    t.notMatch(formatDifference(pattern, output), /^[-+]/m)
  })
}
