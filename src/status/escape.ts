/**
 * A name or message as it may be shown on a terminal: on one line, without anything that moves the cursor, changes
 * colours or reorders the text. Control characters become \n, \t or \x1b, the marks that turn or hide text \u202e, bytes
 * that are not UTF-8 \xff, and a backslash is doubled, so that what is shown can be read back without doubt.
 */
export function escapeName(text: string): string {
  return unsafe.test(text) ? [...text].map(escapeCharacter).join('') : text
}

/** The same for a sentence that may hold names: a backslash stays as it is. */
export function escapeText(text: string): string {
  return unsafe.test(text)
    ? [...text].map((character) => (character === '\\' ? character : escapeCharacter(character))).join('')
    : text
}

/**
 * C0, DEL, C1, the backslash, lone surrogates, and what is invisible or turns the direction of text: soft hyphen, Arabic
 * letter mark, zero-width and bidirectional controls, line and paragraph separators, the byte order mark, tags.
 */
const unsafe =
  /[\x00-\x1f\x7f-\x9f\\\xad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\u{e0000}-\u{e0fff}\p{Cs}]/u

const short: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r', '\\': '\\\\' }

function escapeCharacter(character: string): string {
  if (!unsafe.test(character)) return character
  const known = short[character]
  if (known !== undefined) return known
  const code = character.codePointAt(0) ?? 0
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`
  if (code <= 0x7f) return `\\x${code.toString(16).padStart(2, '0')}`
  if (code <= 0xffff) return `\\u${code.toString(16).padStart(4, '0')}`
  return `\\u{${code.toString(16)}}`
}

/**
 * One line of JSON with everything escaped that a terminal or a viewer could take for an instruction. Such characters occur in JSON only
 * inside strings, where the escape means the same.
 */
export function escapeJson(line: string): string {
  return line.replace(unsafeInJson, (character) =>
    [...Array(character.length).keys()]
      .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`)
      .join(''),
  )
}

const unsafeInJson =
  /[\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\u{e0000}-\u{e0fff}\p{Cs}]/gu
