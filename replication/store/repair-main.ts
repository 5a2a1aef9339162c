/** Level's own repair of a folder, in a process of its own: on some damage its C++ ends the process that it runs in. */
import { Level } from 'level'

const [, , folder = ''] = process.argv
// A static method of the class, which its common type does not show.
await (Level as unknown as { repair(location: string): Promise<void> }).repair(folder)
