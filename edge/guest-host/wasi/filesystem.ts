import type { ErrorCode } from '@bytecodealliance/preview2-shim/interfaces/wasi-filesystem-types'
import { Descriptor } from './descriptor.ts'
import { DirectoryEntryStream } from './directory-entry-stream.ts'
import type { Instance } from './instance.ts'
import { IoError } from './io-error.ts'

/** wasi:filesystem: the site as `/`, and nothing else. */
export function buildFilesystem(instance: Instance): Record<string, object> {
  return {
    'wasi:filesystem/preopens': {
      getDirectories: (): [Descriptor, string][] => [
        [new Descriptor(instance, { type: 'folder', path: '' }, true), '/'],
      ],
    },
    'wasi:filesystem/types': {
      Descriptor,
      DirectoryEntryStream,
      filesystemErrorCode(error: IoError): ErrorCode | undefined {
        const failure = IoError.failureOf(error)
        return failure.of === 'filesystem' ? failure.code : undefined
      },
    },
  }
}
