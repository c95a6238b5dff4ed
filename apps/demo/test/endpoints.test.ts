import { describe, expect, it } from "vitest"
import { ageOf, countOf, hueOf, initialsOf, likePattern } from "../app/utils/format.ts"
import { slugOf } from "../server/lib/endpoints/companies.ts"
import { endpoints, findEndpoint, listing, matchPath } from "../server/lib/endpoints/index.ts"
import { HttpProblem } from "../server/lib/http/HttpProblem.ts"
import { dataDirOf, readSettings } from "../server/lib/settings.ts"

describe("endpoint routing", () => {
  it("finds every endpoint it lists, by exactly one declaration", () => {
    const listed = listing().endpoints
    expect(listed).toHaveLength(endpoints.length)
    for (const { method, path } of listed) {
      const given = path.replace("/api/server", "").replaceAll(/:\w+/g, "x")
      const matching = endpoints.filter((one) => one.method === method && matchPath(one.path, given) !== null)
      expect(matching, `${method} ${path}`).toHaveLength(1)
      expect(findEndpoint(method, given).endpoint).toBe(matching[0])
    }
  })

  it("hands over the parameters of the path", () => {
    expect(findEndpoint("POST", "/workspaces/abc/folders").params).toEqual({ workspaceId: "abc" })
  })

  it("tells an unknown path from a wrong method", () => {
    const statusOf = (method: string, path: string): number => {
      try {
        findEndpoint(method, path)
        return 200
      } catch (cause) {
        if (cause instanceof HttpProblem) return cause.status
        throw cause
      }
    }
    expect(statusOf("GET", "/nothing")).toBe(404)
    expect(statusOf("PUT", "/companies")).toBe(405)
    expect(statusOf("GET", "/companies")).toBe(200)
  })

  it("describes bodies in words", () => {
    const listed = listing().endpoints
    const add = listed.find(({ path, method }) => path === "/api/server/companies" && method === "POST")
    expect(add?.body).toEqual({ name: "text, at most 120 characters", ownerId: "uuid (optional)" })
  })
})

describe("settings", () => {
  const env = {
    ELECTRIC_URL: "http://localhost:30000/",
    DEV_SQL_URL: "http://localhost:30000/sql",
    DEV_SQL_TOKEN: "t",
  }
  const read = (more: Readonly<Record<string, string | undefined>>) =>
    readSettings({ ...env, ...more }, undefined, "/srv")

  it("opens the demo only when told so in so many letters", () => {
    expect(read({}).demo).toBe(false)
    expect(read({ DEMO: "1" }).demo).toBe(false)
    expect(read({ DEMO: "true" }).demo).toBe(true)
  })

  it("prefers a real Postgres, and the newer name of the secret", () => {
    const url = "postgresql://u:p@h/d"
    expect(read({ DATABASE_URL: url }).database).toEqual({ kind: "postgres", url })
    expect(read({ ELECTRIC_API_KEY: "old" }).electric.secret).toBe("old")
    expect(read({ ELECTRIC_API_KEY: "old", ELECTRIC_SECRET: "new" }).electric.secret).toBe("new")
    expect(read({ ELECTRIC_SECRET: "" }).electric.secret).toBeNull()
  })

  it("says which variable is missing or wrong, and never repeats a password", () => {
    expect(() => read({ ELECTRIC_URL: undefined })).toThrow("Set ELECTRIC_URL")
    expect(() => read({ ELECTRIC_URL: "localhost:3" })).toThrow("ELECTRIC_URL must be an http(s) URL")
    expect(() => read({ DEV_SQL_TOKEN: undefined })).toThrow("Set DATABASE_URL, or DEV_SQL_URL")
    expect(() => read({ DATABASE_URL: "mysql://u:hidden@h" })).toThrow(
      /^DATABASE_URL must start with postgresql:\/\/\.$/,
    )
    expect(() => read({ PGLITE_DB_NAME: "../x" })).toThrow("PGLITE_DB_NAME")
  })

  it("keeps its data beside the build, wherever it is started from", () => {
    expect(dataDirOf("/app/.output/server/index.mjs", "/elsewhere")).toBe("/app/.data")
    expect(dataDirOf(undefined, "/elsewhere")).toBe("/elsewhere/.data")
    expect(read({ DEMO_DATA_DIR: "/data" }).dataDir).toBe("/data")
  })
})

describe("words", () => {
  it("makes slugs out of any name", () => {
    expect(slugOf("Harbor & Pine")).toBe("harbor-pine")
    expect(slugOf("Lucía's Café")).toBe("lucia-s-cafe")
    expect(slugOf("!!!")).toBe("company")
  })

  it("makes initials of people and companies", () => {
    expect(initialsOf("Amara Okafor")).toBe("AO")
    expect(initialsOf("Harbor & Pine")).toBe("HP")
    expect(initialsOf("Fieldnote")).toBe("FI")
    expect(initialsOf("")).toBe("?")
  })

  it("spells counts and ages", () => {
    expect(countOf(1, "folder")).toBe("1 folder")
    expect(countOf(1004, "folder")).toBe("1,004 folders")
    expect(ageOf(1_000, 4_000)).toBe("just now")
    expect(ageOf(0, 61_000)).toBe("1 minute ago")
    expect(ageOf(0, 2 * 3_600_000)).toBe("2 hours ago")
    expect(ageOf(0, 4 * 24 * 3_600_000)).toBe("4 days ago")
  })

  it("keeps a colour with an id and takes typed wildcards literally", () => {
    expect(hueOf("a")).toBe(hueOf("a"))
    expect(likePattern("50%_\\")).toBe("%50\\%\\_\\\\%")
  })
})
