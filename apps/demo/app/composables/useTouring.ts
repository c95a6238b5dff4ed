/** Whether the guided tour is open. One answer for the whole app: the overview opens it, the layout shows it. */
export const useTouring = () => useState("touring", () => false)
