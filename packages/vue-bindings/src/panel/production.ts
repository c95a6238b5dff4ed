/**
 * Whether this is a production build. Bundlers replace `process.env.NODE_ENV` by its value, as they do for Vue itself; where
 * nothing did and there is no `process`, it is not known to be development, so it counts as production.
 */

declare const process: { readonly env: { readonly NODE_ENV?: string } }

export const isProduction = (): boolean => {
  try {
    return process.env.NODE_ENV === "production"
  } catch {
    // No bundler put a value here, and a browser has no `process`.
    return true
  }
}
