import type { BinaryReader } from './binary-reader.ts'
import { pick, pickFunctionType, type Scope, unsupported } from './component-scope.ts'

/** What may stand in canonical definitions without more than their code: by it, how many numbers follow. */
const PLAIN: ReadonlyMap<number, number> = new Map([
  [0x02, 1], // resource.new
  [0x03, 1], // resource.drop
  [0x04, 1], // resource.rep
  [0x05, 0], // task.cancel
  [0x06, 1], // subtask.cancel
  [0x0c, 1], // thread.yield
  [0x0d, 0], // subtask.drop
  [0x1f, 0], // waitable-set.new
  [0x20, 2], // waitable-set.wait
  [0x21, 2], // waitable-set.poll
  [0x22, 0], // waitable-set.drop
  [0x23, 0], // waitable.join
  [0x24, 0], // backpressure.inc
  [0x25, 0], // backpressure.dec
])

/**
 * A canonical definition. Built-in functions of the asynchronous component model are let in where a runtime has them ready
 * and a synchronous function does not call them; functions that are themselves asynchronous, streams and threads are not.
 */
export function readCanon(reader: BinaryReader, scope: Scope): void {
  const code = reader.byte()
  if (code === 0x00) {
    readFunctionSort(reader)
    reader.u32()
    readOptions(reader)
    const type = pickFunctionType(scope, reader.u32(), reader)
    if (type.isAsync) throw unsupported('asynchronous functions')
    scope.functions.push(type)
    scope.weight.work += type.size
  } else if (code === 0x01) {
    readFunctionSort(reader)
    const type = pick(scope.functions, reader.u32(), reader)
    readOptions(reader)
    scope.weight.work += type.size
  } else if (code === 0x0a || code === 0x0b) {
    reader.byte()
    reader.u32()
  } else {
    const numbers = PLAIN.get(code)
    if (numbers === undefined)
      throw unsupported(
        `a built-in function of the asynchronous component model or of threads (0x${code.toString(16)})`,
      )
    for (let left = numbers; left > 0; left -= 1) reader.u32()
  }
}

function readFunctionSort(reader: BinaryReader): void {
  if (reader.byte() !== 0x00) throw reader.broken('it lifts or lowers something that is no function')
}

function readOptions(reader: BinaryReader): void {
  reader.list(() => {
    const option = reader.byte()
    if (option === 0x06 || option === 0x07) throw unsupported('asynchronous functions')
    if (option > 0x07) throw unsupported(`a canonical option of a new kind (${option})`)
    if (option >= 0x03) reader.u32()
  })
}
