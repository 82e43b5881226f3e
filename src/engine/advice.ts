/** What a person does about a pair that halted, by the code of the failure. Nothing is deleted while it is halted. */
export function adviceOn(code: string): string {
  switch (code) {
    case 'missing':
    case 'not-directory':
      return 'Nothing is deleted anywhere meanwhile. Move or mount it back: the pair then goes on by itself.'
    case 'in-doubt':
      return (
        'Nothing is deleted anywhere meanwhile. Move or mount the root back: the pair then goes on by itself. ' +
        'If what stands there is to be the root from now on, stop tandem and run it once with -ignorearchives.'
      )
    case 'unreadable':
    case 'unwritable':
    case 'denied':
      return 'Make the root readable and writable for this user: the pair then goes on by itself.'
    case 'disk-full':
      return 'Free some space: the pair then goes on by itself.'
    case 'not-answering':
      return 'Nothing is deleted anywhere meanwhile. When its server answers again the pair goes on by itself.'
    case 'mountpoint-missing':
      return 'Mount it or plug it in: the pair then goes on by itself. If it is gone for good, leave -mountpoint out.'
    default:
      return 'It is tried again until it works.'
  }
}
