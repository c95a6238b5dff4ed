/** What an app and its engine tell each other about this device: room, credentials, parameters. */
import { computed, type Ref } from "vue"
import { useCredentials, useParams, useStorage } from "@espalier/vue"

export const useSettingsPage = () => {
  // #region storage
  const { level, share, persisted, persist } = useStorage()
  const caption = computed(() =>
    share.value === null ? null : `${Math.round(share.value * 100)} % of the room`,
  )
  const mayBeCleared = computed(() => persisted.value === false && level.value === "ok")
  // #endregion
  return { caption, mayBeCleared, persist }
}

export const useToken = (token: Ref<string | null>) => {
  // #region credentials
  const { needed } = useCredentials(() =>
    token.value === null ? null : { headers: { authorization: `Bearer ${token.value}` } },
  )
  // #endregion
  return needed
}

export const useYear = () => {
  // #region params
  const { params, setParams } = useParams()
  const chooseYear = (year: number): Promise<boolean> => setParams({ year: String(year) })
  // #endregion
  return { params, chooseYear }
}
