import { agentHouse } from './agent-house.js'
import { Dice } from './random.js'
import { Scheduler } from './scheduler.js'
import { SimWorld, type Topology } from './world.js'

/** A world of the whole house with nothing wrong in it: what happens is for a test to say. */
export function plainWorld(seed: number, topology: Topology): SimWorld {
  const dice = new Dice(seed)
  return new SimWorld(new Scheduler(dice.stream('ties'), false), dice, topology, agentHouse())
}
