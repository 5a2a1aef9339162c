export { readEntries, readTar, TAR_END, type TarEntry, type TarFile, tarFile, writeTar } from './tar.ts'
export { readTarStream, type StreamedFile } from './tar-stream.ts'
