/** Which replica. Nothing may depend on which is which. */
export type Side = 'alpha' | 'beta'

export function otherSide(side: Side): Side {
  return side === 'alpha' ? 'beta' : 'alpha'
}
