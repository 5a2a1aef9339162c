const TAB = 0x09
const SPACE = 0x20

/** Text without the spaces and tabs around it (OWS of RFC 9110 section 5.6.3), in time in proportion to its length, whatever it is. */
export function trimBlanks(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

const isBlank = (code: number): boolean => code === SPACE || code === TAB
