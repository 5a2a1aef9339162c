import { decode, encode, env } from './makiatto.js'

/** Puts a banner before `</body>`, and says of what; leaves alone what has no body. */
export const transformer = {
  transform(ctx, info, content) {
    const page = decode(content)
    const at = page.indexOf('</body>')
    if (at === -1) return null
    const banner = `<p>${env('BANNER') ?? 'banner'} ${info.path} ${info.mimeType} ${info.size} ${ctx.name}</p>`
    const headers = [['x-banner', 'yes']]
    return { content: encode(page.slice(0, at) + banner + page.slice(at)), mimeType: null, headers }
  },
}
