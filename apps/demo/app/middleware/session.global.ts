/** Sends whoever is not signed in to the sign-in page, and whoever is, away from it. An unanswered question blocks nobody. */
export default defineNuxtRouteMiddleware(async (to) => {
  const session = useSession()
  const known = session.state.value._tag === "loading" ? await session.load() : session.state.value
  if (known._tag === "signed-out" && to.path !== "/sign-in") return navigateTo("/sign-in", { replace: true })
  if (known._tag === "signed-in" && to.path === "/sign-in") return navigateTo("/", { replace: true })
})
