/**
 * The companies the signed-in person belongs to (nodes `memberships` and `companies`), live, each with the person's role and with
 * what this device holds of it.
 */
import { useLiveQuery, useNode, useRows } from "@espalier/vue"
import { companiesSql, type CompanyRow } from "../utils/companies-sql"

export interface CompanySummary extends Omit<CompanyRow, "members"> {
  /** Null until the company's members have arrived: before, the person's own membership would be counted alone. */
  readonly members: number | null
}

export const useCompaniesSync = () => {
  const userId = useUserId()
  const supply = useRows("companies")
  const memberships = useRows("memberships")
  const members = useNode("members")
  const companies = useLiveQuery<CompanyRow>(
    () => (userId.value === undefined ? null : companiesSql(userId.value)),
    { key: "id" },
  )
  const counted = computed(
    () =>
      new Set(
        members.instances.value
          .filter(({ lastUpToDateAt }) => lastUpToDateAt !== null)
          .map(({ bindings }) => bindings["company_id"]),
      ),
  )
  return {
    companies: computed<ReadonlyArray<CompanySummary>>(() =>
      companies.rows.value.map((company) => ({
        ...company,
        members: counted.value.has(company.id) ? company.members : null,
      })),
    ),
    // Whether "none" is a fact is decided by the companies and the memberships alone, not by what the counts are made of.
    pending: computed(
      () => companies.rows.value.length === 0 && (supply.pending.value || memberships.pending.value),
    ),
    isEmpty: computed(
      () => companies.rows.value.length === 0 && supply.isEmpty.value && memberships.isEmpty.value,
    ),
    error: computed(() => companies.error.value ?? memberships.error.value ?? supply.error.value),
    sync: useNodeSync("companies"),
    membershipsSync: useNodeSync("memberships"),
  }
}
