import type { Browser } from './browser.ts'

/** Runs in a page: paints noise and records it. Text, since the types here know of no page. */
const RECORD = `async (seconds) => {
  const canvas = document.createElement('canvas')
  canvas.width = 640
  canvas.height = 480
  const pen = canvas.getContext('2d')
  const options = { mimeType: 'video/mp4;codecs=vp9', videoBitsPerSecond: 8e6 }
  const recorder = new MediaRecorder(canvas.captureStream(25), options)
  const parts = []
  recorder.ondataavailable = (event) => parts.push(event.data)
  recorder.start(500)
  const begun = performance.now()
  while (performance.now() - begun < seconds * 1000) {
    const frame = pen.createImageData(canvas.width, canvas.height)
    for (let at = 0; at < frame.data.length; at += 65536) crypto.getRandomValues(frame.data.subarray(at, at + 65536))
    pen.putImageData(frame, 0, 0)
    await new Promise(requestAnimationFrame)
  }
  recorder.stop()
  await new Promise((done) => { recorder.onstop = done })
  const reader = new FileReader()
  reader.readAsDataURL(new Blob(parts))
  await new Promise((done) => { reader.onload = done })
  return reader.result.split(',')[1]
}`

/** So many seconds of noise, as an MP4 with a known length that a player can seek in, made by the browser itself. */
export async function recordVideo(browser: Browser, seconds: number): Promise<Buffer> {
  const { page } = await browser.visit('about:blank')
  const base64 = (await page.evaluate(`(${RECORD})(${seconds})`)) as string
  await page.context().close()
  return Buffer.from(base64, 'base64')
}
