/** As JSON.stringify does; almost every path has nothing to be escaped, which is quicker to see. */
export const quoted = (text: string): string => (isPlain.test(text) ? `"${text}"` : JSON.stringify(text))

const isPlain = /^[ !#-[\]-~]*$/
