/** Status in an app: a banner, one node's state, and what one instance waits for. */
import { computed, type Ref } from "vue"
import { useExplain, useInstance, useJournal, useSyncStatus } from "@espalier/vue"
import { useNode } from "./setup.ts"

export const useBanner = () => {
  // #region status
  const { state, isOffline, ready, phase } = useSyncStatus()
  const banner = computed(() => {
    if (phase.value?.phase === "failed") return phase.value.message
    if (isOffline.value) return "Offline: showing what is stored on this device."
    return ready.value && state.value === "loading" ? "Catching up…" : null
  })
  // #endregion
  return banner
}

export const useFolderState = (companyId: Ref<string>) => {
  // #region node
  const folders = useNode("folders", { bindings: { company_id: companyId } })
  const instance = useInstance(() => `company-${companyId.value}-folders`)
  const caption = computed(() => `${folders.state.value}, ${instance.status.value?.rows ?? 0} rows`)
  // #endregion
  return { caption, retry: instance.retry }
}

export const useSupportPage = (key: Ref<string | null>) => {
  // #region explain
  const { explanation } = useExplain(key)
  const { entries } = useJournal()
  // #endregion
  return { explanation, entries }
}
