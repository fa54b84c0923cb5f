// All scenarios, in the order of docs/network.md.
import type { Scenario } from './scenario.js'
import { broken } from './scenarios/broken.js'
import { matrix } from './scenarios/matrix.js'
import { office } from './scenarios/office.js'
import { partition } from './scenarios/partition.js'
import { relayed } from './scenarios/relayed.js'
import { links, natKinds } from './scenarios/self.js'

export const SCENARIOS: readonly Scenario[] = [
  natKinds,
  links,
  ...matrix,
  ...relayed,
  ...office,
  partition,
  ...broken,
]
