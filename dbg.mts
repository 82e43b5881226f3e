import { scripts } from './test/crash/scripts.ts'
import * as search from './test/crash/search.ts'
import { simulate } from './test/sim/simulate.ts'
const script = scripts[4]!
const r = await simulate({ ...(search as any).optionsOf(script, 'linked'), crashAt: { agent: 'peer', effect: +process.argv[2]!, powerLoss: true }, keepLines: true } as any)
console.log(r.lines.join('\n')); console.log(r.violations)
console.log(JSON.stringify(r.events.slice(-40),(_,v)=>typeof v==='bigint'?String(v):v).replaceAll('},{','},\n{'))
