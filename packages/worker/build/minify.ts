/**
 * Minifies a script once more, after esbuild: with Rolldown's minifier behind it the worker's own part is 4 % smaller (gzip), and that part
 * has a budget. Not instead of esbuild, because it shortens no name beside the `eval` in PGlite. Used by `bundle.ts` only.
 */
import { minify } from "rolldown/utils"

export interface MinifiedScript {
  readonly code: string
  /** Source map as JSON, through to the sources; empty when no map was handed in. */
  readonly map: string
}

/**
 * Minifies one ES module; `map` is the map of the bundler's step before.
 *
 * @throws Error when the script cannot be parsed.
 */
export const minifyScript = async (file: string, text: string, map?: string): Promise<MinifiedScript> => {
  const result = await minify(file, text, {
    module: true,
    compress: true,
    mangle: true,
    ...(map === undefined ? {} : { sourcemap: true, inputMap: JSON.parse(map) }),
  })
  const [error] = result.errors
  if (error !== undefined) throw new Error(`${file} cannot be minified: ${error.message}`)
  if (map === undefined) return { code: result.code, map: "" }
  return {
    code: `${result.code}\n//# sourceMappingURL=${file}.map\n`,
    map: JSON.stringify(result.map ?? {}),
  }
}
