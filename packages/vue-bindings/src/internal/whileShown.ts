/**
 * Whether the component a composable belongs to is on the page: false while `<KeepAlive>` holds it back. Exists so
 * that a page nobody looks at neither reads nor demands anything, and catches up once when it is shown again. Outside
 * of a component it is always true.
 */
import { getCurrentInstance, onActivated, onDeactivated, shallowRef, type ShallowRef } from "vue"

/** Call it synchronously in setup. */
export const whileShown = (): Readonly<ShallowRef<boolean>> => {
  const shown = shallowRef(true)
  if (getCurrentInstance() === null) return shown
  onActivated(() => {
    shown.value = true
  })
  onDeactivated(() => {
    shown.value = false
  })
  return shown
}
