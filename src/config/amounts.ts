/** '30d', '12h', '90 min' as milliseconds; 0 needs no unit. undefined: it is none. */
export function durationOf(text: string): number | undefined {
  return amountOf(text, {
    s: 1_000,
    min: 60_000,
    h: 3_600_000,
    d: 86_400_000,
    w: 7 * 86_400_000,
    y: 365 * 86_400_000,
  })
}

/** '10GiB', '500 MB', '4096' as bytes. undefined: it is none. */
export function bytesOf(text: string): number | undefined {
  return amountOf(text, { '': 1, B: 1, ...scale(1_000, 'B'), ...scale(1_024, 'iB') })
}

function scale(base: number, ending: string): Record<string, number> {
  return Object.fromEntries(['K', 'M', 'G', 'T', 'P'].map((letter, at) => [letter + ending, base ** (at + 1)]))
}

/** Units are told apart by their letters, not by their case. */
function amountOf(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const parts = /^(\d{1,15}(?:\.\d{1,3})?)\s*([a-z]*)$/i.exec(text.trim())
  if (parts === null) return undefined
  const value = Number(parts[1])
  if (value === 0) return 0
  const [, factor] = Object.entries(units).find(([unit]) => unit.toLowerCase() === parts[2]?.toLowerCase()) ?? []
  const amount = factor === undefined ? Number.NaN : Math.round(value * factor)
  return Number.isSafeInteger(amount) ? amount : undefined
}
