// npm start [-- ROOT1 ROOT2 [options]]: makes the checkout ready, prints the agent's pid and becomes `tandem watch ROOT1 ROOT2`,
// in this very process, so that signals to that pid reach the agent. Without roots it runs the demonstration.
import { project, ready, SetupFailure } from './ready.mjs'

try {
  ready()
} catch (error) {
  if (!(error instanceof SetupFailure)) throw error
  console.error(`tandem: ${error.message}`)
  process.exit(1)
}

console.log(`tandem agent: pid ${process.pid}`)
const given = process.argv.slice(2)
if (given.length > 0) {
  const { exactArguments } = await import('../dist/cli/arguments.js')
  const { mainProcess } = await import('../dist/cli/main.js')
  await mainProcess(['watch', ...exactArguments(given)])
} else {
  const { demonstrate } = await import('../dist/cli/demonstration.js')
  const { runProcess, telling } = await import('../dist/cli/main.js')
  await runProcess(() => telling(() => demonstrate(project)))
}
