/** Every message of the API as a table, with a type of the same name. */
export * from "./auth.ts";
export * from "./cluster.ts";
export * from "./health.ts";
export * from "./internal.ts";
export * from "./kv.ts";
export * from "./lease.ts";
export * from "./maintenance.ts";
export * from "./recipes.ts";
export * from "./reflection.ts";
export * from "./store.ts";
export * from "./watch.ts";
