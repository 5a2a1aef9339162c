/** How nodes name themselves in CDN-Loop (RFC 8586): in each request that a function sends. */
export const CDN_LOOP_ID = 'makiatto'

/**
 * Whether a CDN-Loop field names us: the request was sent by a function, so that a function that answered it could call itself
 * without end. Parameters of an element say nothing; text in quotes is none of its name.
 */
export function namesUs(field: string): boolean {
  return field
    .replace(/"(?:[^"\\]|\\.)*"/g, '')
    .split(',')
    .some((element) => (element.split(';')[0] as string).trim().toLowerCase() === CDN_LOOP_ID)
}
