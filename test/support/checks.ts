import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { FileResult } from './run-test-file.ts'

/** Format, lint and types of the whole project: each tool is one assertion. */
export async function* runChecks(root: string): AsyncGenerator<FileResult> {
  const bin = join(root, 'node_modules', '.bin')
  yield runTool(root, 'biome: format and lint', join(bin, 'biome'), ['ci', '--colors=off', '.'])
  yield runTool(root, 'tsc: types', join(bin, 'tsc'), ['--noEmit', '--pretty', 'false'])
}

async function runTool(root: string, name: string, command: string, args: readonly string[]): Promise<FileResult> {
  const started = performance.now()
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const code = await new Promise<number | string>((done) => {
    child.once('error', (error) => done(error.message))
    child.once('close', (status, signal) => done(signal ?? status ?? 0))
  })
  const failures = code === 0 ? [] : [{ name: `${name} ended with ${code}`, detail: output }]
  return { file: name, passed: code === 0 ? 1 : 0, failures, skipped: [], durationMs: performance.now() - started }
}
