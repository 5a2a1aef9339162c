import type { ImageFormat } from './image-settings.ts'

const latin1 = (bytes: Uint8Array, start: number, end: number): string =>
  String.fromCharCode(...bytes.subarray(start, end))

/**
 * What the first bytes of a file say that it is, which decides the one loader that reads it; undefined for everything that
 * is not read here, whatever its name. HEIC has the container of AVIF and is told apart by its brand.
 */
export function sniffFormat(bytes: Uint8Array): ImageFormat | undefined {
  if (bytes.length < 16) return undefined
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'jpg'
  const head = latin1(bytes, 0, 16)
  if (head.startsWith('\x89PNG\r\n\x1a\n') && head.endsWith('IHDR')) return 'png'
  if (head.startsWith('GIF87a') || head.startsWith('GIF89a')) return 'gif'
  if (head.startsWith('RIFF') && head.slice(8, 12) === 'WEBP') return 'webp'
  if (head.slice(4, 8) === 'ftyp' && ['avif', 'avis'].includes(head.slice(8, 12))) return 'avif'
  return undefined
}
