/** Light, dark, or as the system says. The choice is kept on this device and applied before the first paint by the page's head. */
export type Theme = "system" | "light" | "dark"

const storageKey = "espalier-theme"
const order: ReadonlyArray<Theme> = ["system", "light", "dark"]

const stored = (): Theme => {
  const value = document.documentElement.dataset["theme"]
  return value === "light" || value === "dark" ? value : "system"
}

export const useTheme = () => {
  const theme = useState<Theme>("theme", stored)
  const set = (next: Theme): void => {
    theme.value = next
    if (next === "system") delete document.documentElement.dataset["theme"]
    else document.documentElement.dataset["theme"] = next
    try {
      if (next === "system") localStorage.removeItem(storageKey)
      else localStorage.setItem(storageKey, next)
    } catch (cause) {
      // A browser that keeps nothing for this site still shows the theme until the next load.
      console.warn("The theme could not be kept.", cause)
    }
  }
  return {
    theme,
    /** System → light → dark → system. */
    next: () => set(order[(order.indexOf(theme.value) + 1) % order.length] ?? "system"),
  }
}
