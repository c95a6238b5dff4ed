/** The time as a ref that moves once a second while a component shows it; for ages such as "3 minutes ago". */
export const useNow = () => {
  const now = ref(Date.now())
  let timer: ReturnType<typeof setInterval> | undefined
  onMounted(() => (timer = setInterval(() => (now.value = Date.now()), 1000)))
  onScopeDispose(() => clearInterval(timer))
  return readonly(now)
}
