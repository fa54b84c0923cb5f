// All screens, in the order of their number keys.
import { CONFLICTS } from './conflicts.js'
import { DRIFT } from './drift.js'
import { LOG } from './log.js'
import { MAP } from './map.js'
import { OVERVIEW } from './overview.js'
import { PEERS } from './peers.js'
import { type AnyScreen, anyScreen, type ScreenId } from './screen.js'
import { TRANSFERS } from './transfers.js'

export const SCREENS: readonly AnyScreen[] = [
  anyScreen(OVERVIEW),
  anyScreen(PEERS),
  anyScreen(TRANSFERS),
  anyScreen(MAP),
  anyScreen(LOG),
  anyScreen(CONFLICTS),
  anyScreen(DRIFT),
]

export function screenOf(id: ScreenId): AnyScreen {
  return SCREENS.find((screen) => screen.id === id)!
}
