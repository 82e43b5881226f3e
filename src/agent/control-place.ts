/** Where the agent of a state directory is spoken to. */
export const controlName = 'control.sock'
/** Where it is linked with, by this user only: a `serve --stdio` that ssh starts joins the agent there. */
export const linkName = 'link.sock'
