import { spawn } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { SiteRules } from '../../edge/rules/index.ts'
import { verifyPassword } from '../../edge/server/password-hash.ts'

const MAKI = join(import.meta.dirname, '../../cli/bin/maki')
const SECRET = 'cørrect horse'

function run(command: string, args: readonly string[], answers: readonly (readonly [asked: string, typed: string])[]) {
  const child = spawn(command, args, { env: { ...process.env, NO_COLOR: '1' } })
  const waiting = [...answers]
  let stdout = ''
  let stderr = ''
  const answer = () => {
    const [next] = waiting
    if (next === undefined || !stdout.includes(next[0])) return
    waiting.shift()
    child.stdin.write(next[1])
    answer()
  }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    answer()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  answer()
  if (answers.every(([asked]) => asked === '')) child.stdin.end()
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, stdout, stderr })),
  )
}

t.test('the line that is printed is one that protects', async (t) => {
  const { code, stdout, stderr } = await run(MAKI, ['password', 'ann'], [['', `${SECRET}\n`]])
  t.equal(code, 0, stderr)
  t.match(stdout, /^ {2}Basic-Auth: ann:\$scrypt\$ln=15,r=8,p=3\$/)
  const { rules, faults } = SiteRules.parse({ _headers: new TextEncoder().encode(`/secret/*\n${stdout}`) })
  t.strictSame(faults, [])
  const [credential] = rules.authFor('example.com', { path: 'secret/x', slash: false }) ?? []
  t.equal(credential?.user, 'ann')
  t.ok(await verifyPassword(SECRET, credential?.hash ?? ''))
  const again = await run(MAKI, ['password', 'ann', '--json'], [['', SECRET]])
  const { hash } = JSON.parse(again.stdout) as { hash: string }
  t.not(hash, credential?.hash, 'salted')
  t.ok(await verifyPassword(SECRET, hash), 'a line end is none of it')
})

t.test('on a terminal it is asked for twice and never shown', async (t) => {
  const typed = async (first: string, second: string) =>
    run(
      'script',
      ['-qec', `${MAKI} password ann`, '/dev/null'],
      [
        ['Password: ', first],
        ['Once more: ', second],
      ],
    )
  const same = await typed(`${SECRET}\r`, `${SECRET}\r`)
  t.match(same, { code: 0, stdout: /Basic-Auth: ann:\$scrypt\$/ })
  t.notMatch(same.stdout, SECRET)
  const different = await typed(`${SECRET}\r`, 'something else\r')
  t.match(different, { code: 2, stdout: /the two are not the same/ })
  t.notMatch(different.stdout, /horse|something/)
})

t.test('what cannot be a password, or a user, is refused', async (t) => {
  for (const [user, password] of [
    ['ann', 'short'],
    ['ann', 'two\nlines'],
    ['ann', 'x'.repeat(300)],
    ['a:b', SECRET],
    ['a b', SECRET],
  ] as const) {
    const { code, stdout, stderr } = await run(MAKI, ['password', user], [['', password]])
    t.equal(code, 2, stderr)
    t.equal(stdout, '')
    t.notMatch(stderr, password, 'and is not in the message')
  }
})
