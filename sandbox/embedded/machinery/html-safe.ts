const special = /[<>&\u2028\u2029]/
const specials = /[<>&\u2028\u2029]/g

/** JSON with what HTML and JavaScript give a meaning escaped, as Go's encoding/json writes it. */
export function htmlSafe(json: string): string {
  return special.test(json) ? json.replace(specials, escaped) : json
}

function escaped(letter: string): string {
  return `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`
}
