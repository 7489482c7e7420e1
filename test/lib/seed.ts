/**
 * Loaded before every test: properties are tried on the same cases each time, so that a test which
 * fails fails again. Other cases: `QUORD_SEED=$RANDOM npm test`.
 */
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env["QUORD_SEED"] ?? 1) });
